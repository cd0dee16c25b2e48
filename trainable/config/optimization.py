"""Fields of the optimiser and its schedule."""

from typing import Annotated, Literal

from pydantic import Field

from trainable.config.base import NonNegative, Positive, Section


class Train(Section):
    """An optimiser a network and its schedule, kept through all phases."""

    epochs: Annotated[int, Field(ge=1)] = 300
    """Rows of the trial, warm-up included. (The authors' loop runs 301.)"""
    batch_size: Annotated[int, Field(ge=2)] = 64
    """Labeled images a step, with as many unlabeled. Warm-up and cross-entropy take twice as many
    (authors' code)."""
    optimizer: Literal["sgd", "adam"] = "sgd"
    """adam: what the authors of Co-teaching, Co-teaching+ and JoCoR use, with `lr` 0.001 and
    without weight decay."""
    lr: Positive = 0.02
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of SGD; Adam's first beta (its second is 0.999)."""
    weight_decay: NonNegative = 5e-4
    lr_schedule: Literal["step", "cosine", "one_cycle"] = "step"
    """cosine: half a wave from `lr` towards 0 over all `epochs`. one_cycle: from 0 to `lr` over the
    first 30 % of them, then back to 0, in straight lines (Smith 2018). `lr_milestones` and
    `lr_gamma` then have no effect."""
    lr_milestones: list[Annotated[int, Field(ge=1)]] = [150]
    """Numbers of finished epochs at which lr is multiplied by `lr_gamma`."""
    lr_gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay, a step, of a moving average of the weights. The average is what is tested and kept;
    training, division and guesses use the weights themselves. 0: the weights are tested."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Of the networks' passes; weights, losses and steps are fp32 in any case. bf16 is for GPUs: a
    CPU without instructions for it is several times slower."""
