"""Fields of the baselines of DivideMix. Imports pydantic only.

All methods use the learning rate, momentum and batch size of `train`, so arms of a study differ in
the method only. A batch has twice `train.batch_size` images, as in warm-up (the authors of all
these methods use 128 images).
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from trainable.config.base import Fraction, NonNegative, Positive
from trainable.config.initialization import Start
from trainable.config.method_base import MethodConfig

Networks = Annotated[int, Field(ge=1, le=2)]
Steps = Annotated[int, Field(ge=0)]


class CrossEntropy(Start):
    """Cross-entropy on the given labels.

    With two networks, the sum of their logits is tested, as for DivideMix.
    """

    name: Literal["cross_entropy"] = "cross_entropy"
    networks: Annotated[int, Field(ge=1, le=2)] = 2
    """Number of networks."""


class MixUp(MethodConfig):
    """Cross-entropy on mixed images and labels (Zhang et al. 2018)."""

    name: Literal["mixup"] = "mixup"
    networks: Networks = 1
    alpha: Positive = 1.0
    """Parameter of MixUp's weight l ~ Beta(alpha, alpha)."""


class Forgetting(MethodConfig):
    """Fields of the methods that drop the samples of a batch with the largest losses."""

    forget_rate: Annotated[float, Field(ge=0, lt=1)] | Literal["estimated", "known"] = "estimated"
    """Final share of each batch that is dropped. estimated: the share of wrong labels by
    DivideMix's mixture. known: the true share (the authors' choice, which uses knowledge of the
    noise)."""
    gradual_epochs: Annotated[int, Field(ge=1)] = 10
    """Number of epochs over which the dropped share grows (the authors' `num_gradual`)."""


class CoTeaching(Forgetting):
    """Two networks; each learns from the small-loss samples of the other (Han et al. 2018)."""

    name: Literal["co_teaching"] = "co_teaching"
    networks: ClassVar[int] = 2


class CoTeachingPlus(Forgetting):
    """Co-teaching on the samples of a batch on which the networks disagree (Yu et al. 2019)."""

    name: Literal["co_teaching_plus"] = "co_teaching_plus"
    networks: ClassVar[int] = 2
    init_epochs: Annotated[int, Field(ge=0)] = 20
    """Number of first epochs with plain Co-teaching (the authors: 20 on CIFAR-10, 5 on
    CIFAR-100)."""

    @property
    def warmup_field(self) -> str:
        """The field with the number of warm-up epochs."""
        return "init_epochs"

    @property
    def shortest_warmup(self) -> int:
        """Number of warm-up epochs, `init_epochs`."""
        return self.init_epochs


class Jocor(Forgetting):
    """JoCoR: networks with a joint loss and an agreement term (Wei et al. 2020).

    Fazekas et al. (2023) use more than two networks.
    """

    name: Literal["jocor"] = "jocor"
    networks: Annotated[int, Field(ge=2, le=16)] = 2
    contrast: Literal["pairs", "circular", "cross_entropy"] = "pairs"
    """Divergence between the networks' predictions. pairs: KL of every ordered pair. circular: KL
    of each network and the next, and of the last and the first (equal to `pairs` for two).
    cross_entropy: cross-entropy of every ordered pair instead of the KL."""
    co_lambda: Fraction = 0.9
    """Weight of the contrast; the loss of the labels has the weight 1 − co_lambda (the authors: 0.9
    on CIFAR-10, 0.65 at 80 % noise, 0.85 on CIFAR-100)."""


class Elr(MethodConfig):
    """Early-learning regularisation (Liu et al. 2020)."""

    name: Literal["elr"] = "elr"
    networks: Networks = 1
    beta: Fraction = 0.7
    """Decay of a sample's target, which is an exponential moving average of predictions (the
    authors: 0.9 for asymmetric noise and on CIFAR-100)."""
    lambda_elr: NonNegative = 3.0
    """Weight of the regulariser (the authors: 1 for asymmetric noise, 7 on CIFAR-100)."""


class ElrPlus(MethodConfig):
    """ELR+ (Liu et al. 2020): ELR with two networks, MixUp and EMA.

    The EMA of the other network predicts the targets.
    """

    name: Literal["elr_plus"] = "elr_plus"
    networks: ClassVar[int] = 2
    beta: Fraction = 0.7
    """Decay of a sample's target, as in ELR."""
    lambda_elr: NonNegative = 3.0
    """Weight of the regulariser, as in ELR."""
    rampup_steps: Steps = 0
    """Number of steps over which `lambda_elr` grows; 0: no ramp-up (the authors: 40,000 on
    CIFAR-100)."""
    alpha: Positive = 1.0
    """Parameter of MixUp's weight, which is max(l, 1−l) with l ~ Beta(alpha, alpha)."""
    ema_decay: Fraction = 0.997
    """Decay of the EMA of a network's weights, per step."""
    ema_rampup_steps: Steps = 40_000
    """Number of steps over which `ema_decay` grows, about 102 epochs on CIFAR; 0: no ramp-up."""
    label_times_target: bool = False
    """Whether labels are multiplied by the sample's target (the authors: on CIFAR-100)."""


class MixMatch(MethodConfig):
    """One network that divides and guesses for itself.

    It is "Divide and MixMatch" in the ablation of the DivideMix paper. Fields have the meaning of
    DivideMix's fields of the same name.
    """

    name: Literal["mixmatch"] = "mixmatch"
    networks: ClassVar[int] = 1
    warmup_epochs: Annotated[int, Field(ge=0)] = 10
    """Epochs of warm-up on all given labels."""
    p_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """A sample enters the labeled set if its clean probability exceeds this value."""
    n_aug: Annotated[int, Field(ge=1, le=8)] = 2
    """Number of augmented views of each image in a step."""
    temperature: Positive = 0.5
    """Temperature of the sharpening of guessed targets; 1: no sharpening."""
    alpha: Positive = 4.0
    """Parameter of MixUp's weight, which is max(l, 1−l) with l ~ Beta(alpha, alpha)."""
    lambda_u: NonNegative = 25.0
    """Weight of the unlabeled loss."""
    rampup_epochs: NonNegative = 16.0
    """Number of epochs after warm-up over which `lambda_u` grows linearly from 0; 0: no ramp-up."""
    prior_penalty: NonNegative = 1.0
    """Weight of KL(prior ‖ mean prediction); 0: off."""

    @property
    def divides(self) -> bool:
        """The loss mixture gives every sample a clean probability."""
        return True

    @property
    def shortest_warmup(self) -> int:
        """Number of warm-up epochs, `warmup_epochs`."""
        return self.warmup_epochs


class SsrPlus(MethodConfig):
    """SSR+ (Feng et al. 2022): selection by neighbors, relabelling, feature consistency.

    The network's last linear layer is its classifier; the features are the inputs of this layer.
    """

    name: Literal["ssr_plus"] = "ssr_plus"
    networks: ClassVar[int] = 1
    theta_s: Fraction = 1.0
    """A sample enters the labeled set if the votes of its neighbors for its label, divided by the
    votes for their first class, are at least this; 1: its label must be first."""
    theta_r: Fraction = 0.9
    """A sample gets the class that the network predicts with more than this probability (the
    authors: 0.8 from 50 % noise on CIFAR-100)."""
    neighbors: Annotated[int, Field(ge=2)] = 200
    """Number of neighbors that vote, the sample itself included; more than a class has blurs the
    vote."""
    alpha: Positive = 4.0
    """Parameter of MixUp's weight, which is max(l, 1−l) with l ~ Beta(alpha, alpha)."""
    lambda_fc: NonNegative = 1.0
    """Weight of the feature consistency of all samples; 0: SSR."""


class Retrain(MethodConfig):
    """Cross-entropy on the samples that the trial of another arm (`from_arm`) judges clean.

    The clean probabilities are those after the last epoch of that trial.
    """

    name: Literal["retrain"] = "retrain"
    networks: Annotated[int, Field(ge=1, le=2)] = 1
    """Number of networks."""
    p_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """A sample is kept if its clean probability, averaged over the networks of that trial, exceeds
    this value; 0 keeps all samples."""

    @property
    def needs_divided_source(self) -> bool:
        """The samples are chosen by that trial's clean probabilities."""
        return True

    @property
    def source_needed_by(self) -> str:
        """Name of the field that needs `from_arm`."""
        return "name"
