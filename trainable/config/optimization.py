"""Fields of the optimiser and its schedule."""

from typing import Annotated, Literal

from pydantic import Field

from trainable.config.base import NonNegative, Positive, Section


class Train(Section):
    """The optimiser of each network and its schedule; both are kept through all phases."""

    epochs: Annotated[int, Field(ge=1)] = 300
    """Number of epochs, warm-up included; each is a row of the trial (the authors' loop runs 301
    epochs)."""
    batch_size: Annotated[int, Field(ge=2)] = 64
    """Labeled images per step, with as many unlabeled images. Warm-up and cross-entropy use twice
    as many images per step (authors' code)."""
    optimizer: Literal["sgd", "adam"] = "sgd"
    """Optimiser. The authors of Co-teaching, Co-teaching+ and JoCoR use adam with `lr` 0.001 and no
    weight decay."""
    lr: Positive = 0.02
    """Initial learning rate; with one_cycle the largest one."""
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Momentum of SGD, or Adam's first beta (its second beta is 0.999)."""
    weight_decay: NonNegative = 5e-4
    """Weight decay of all parameters, as an L2 penalty."""
    lr_schedule: Literal["step", "cosine", "one_cycle"] = "step"
    """Schedule of the learning rate. step: multiplied by `lr_gamma` at each of `lr_milestones`.
    cosine: half a cosine from `lr` to 0 over all `epochs`. one_cycle: linear from 0 to `lr` over
    the first 30 % of the epochs, then linear to 0 (Smith 2018). `lr_milestones` and `lr_gamma` have
    no effect with cosine and one_cycle."""
    lr_milestones: list[Annotated[int, Field(ge=1)]] = [150]
    """Numbers of completed epochs after which the learning rate is multiplied by `lr_gamma`."""
    lr_gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    """Factor of the learning rate at a milestone."""
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay per step of an exponential moving average (EMA) of the weights. The EMA is tested and
    stored; training, division and guesses use the weights themselves. 0: no EMA."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Precision of forward and backward passes; weights, losses and updates are always fp32. bf16
    is meant for GPUs: it is several times slower on a CPU without bf16 instructions."""
