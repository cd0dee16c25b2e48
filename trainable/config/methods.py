"""Fields of the methods that DivideMix is compared with. Imports pydantic only, as
`trainable/config/trial.py` does.

Learning rate, momentum and batches are those of `train`, for every method: arms of a study differ
in the method alone. Batches are twice `train.batch_size`, as warm-up's are (the authors of all
these methods take 128 images).
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trainable.config.base import Fraction, NonNegative, Positive
from trainable.config.initialization import Start
from trainable.config.method_base import MethodConfig

Networks = Annotated[int, Field(ge=1, le=2)]
Steps = Annotated[int, Field(ge=0)]


class CrossEntropy(Start):
    """Plain training on the given labels; with two networks their summed logits are tested, as
    DivideMix's are."""

    name: Literal["cross_entropy"] = "cross_entropy"
    networks: Annotated[int, Field(ge=1, le=2)] = 2


class MixUp(MethodConfig):
    """Cross-entropy on mixed images and labels (Zhang et al. 2018)."""

    name: Literal["mixup"] = "mixup"
    networks: Networks = 1
    alpha: Positive = 1.0
    """MixUp's weight is l ~ Beta(alpha, alpha)."""


class Forgetting(MethodConfig):
    """What the methods share that leave out the samples of a batch with the largest losses."""

    forget_rate: Annotated[float, Field(ge=0, lt=1)] | Literal["estimated", "known"] = "estimated"
    """Share of each batch that is left out in the end. estimated: the share of wrong labels by the
    mixture that DivideMix fits; known: the true one (the authors', which uses knowledge of the
    noise)."""
    gradual_epochs: Annotated[int, Field(ge=1)] = 10
    """So many epochs the share grows (the authors' `num_gradual`)."""


class CoTeaching(Forgetting):
    """Two networks; each learns from what the other finds easiest (Han et al. 2018)."""

    name: Literal["co_teaching"] = "co_teaching"
    networks: ClassVar[int] = 2


class CoTeachingPlus(Forgetting):
    """Co-teaching on the samples of a batch about which the two networks disagree (Yu et al.
    2019)."""

    name: Literal["co_teaching_plus"] = "co_teaching_plus"
    networks: ClassVar[int] = 2
    init_epochs: Annotated[int, Field(ge=0)] = 20
    """Epochs of plain Co-teaching before (the authors: 20 on CIFAR-10, 5 on CIFAR-100)."""

    @property
    def shortest_warmup(self) -> int:
        """`init_epochs`: they are a warm-up."""
        return self.init_epochs


class Jocor(Forgetting):
    """Networks that learn together and are drawn towards one another (Wei et al. 2020; with more
    than two, Fazekas)."""

    name: Literal["jocor"] = "jocor"
    networks: Annotated[int, Field(ge=2, le=16)] = 2
    contrast: Literal["pairs", "circular", "cross_entropy"] = "pairs"
    """pairs: KL of every ordered pair; circular: of each network and the next, the last and the
    first (the same for two); cross_entropy: cross-entropies in place of the KLs of all pairs."""
    co_lambda: Fraction = 0.9
    """Weight of the contrast; the labels have the rest. (The authors: 0.9 on CIFAR-10, 0.65 at 80 %
    noise, 0.85 on CIFAR-100.)"""


class Elr(MethodConfig):
    """Early-learning regularisation (Liu et al. 2020)."""

    name: Literal["elr"] = "elr"
    networks: Networks = 1
    beta: Fraction = 0.7
    """Memory of a sample's target, a moving average of predictions (the authors: 0.9 under
    asymmetric noise and on CIFAR-100)."""
    lambda_elr: NonNegative = 3.0
    """Weight of the regulariser (the authors: 1 under asymmetric noise, 7 on CIFAR-100)."""


class ElrPlus(MethodConfig):
    """ELR with two networks, MixUp, and targets by the other network's average (Liu et al.
    2020)."""

    name: Literal["elr_plus"] = "elr_plus"
    networks: ClassVar[int] = 2
    beta: Fraction = 0.7
    lambda_elr: NonNegative = 3.0
    rampup_steps: Steps = 0
    """Steps over which `lambda_elr` grows; 0: at once (the authors: 40,000 on CIFAR-100)."""
    alpha: Positive = 1.0
    """MixUp's weight is max(l, 1−l) with l ~ Beta(alpha, alpha)."""
    ema_decay: Fraction = 0.997
    """Memory of a network's average."""
    ema_rampup_steps: Steps = 40_000
    """Steps over which `ema_decay` grows, about 102 epochs on CIFAR; 0: at once."""
    label_times_target: bool = False
    """Labels are multiplied by the sample's target (the authors: on CIFAR-100)."""


class MixMatch(MethodConfig):
    """One network that divides and guesses for itself: "Divide and MixMatch" of the DivideMix
    paper's ablation."""

    name: Literal["mixmatch"] = "mixmatch"
    networks: ClassVar[int] = 1
    warmup_epochs: Annotated[int, Field(ge=0)] = 10
    p_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.5
    n_aug: Annotated[int, Field(ge=1, le=8)] = 2
    temperature: Positive = 0.5
    alpha: Positive = 4.0
    lambda_u: NonNegative = 25.0
    rampup_epochs: NonNegative = 16.0
    prior_penalty: NonNegative = 1.0

    @property
    def shortest_warmup(self) -> int:
        """`warmup_epochs`, as DivideMix has it."""
        return self.warmup_epochs


class Retrain(MethodConfig):
    """Plain training on the samples that the trial of another arm (`from_arm`) judged clean after
    its last epoch."""

    name: Literal["retrain"] = "retrain"
    networks: Annotated[int, Field(ge=1, le=2)] = 1
    p_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """A sample is kept if its clean probability, the mean over that trial's networks, is greater; 0
    keeps all."""

    @property
    def source_needed_by(self) -> str:
        """The field that needs `from_arm`."""
        return "name"
