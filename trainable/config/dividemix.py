"""Fields of DivideMix: each of its switches.

Defaults are the behaviour of the authors' public code (github.com/LiJunnan1992/DivideMix,
`Train_cifar.py`); where the paper (arXiv 2002.07394) differs, the field says so.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trainable.config.base import NonNegative, Positive
from trainable.config.initialization import Start


class DivideMix(Start):
    """DivideMix and its switches. `networks: 1` divides and guesses by itself; `co_divide` then has
    no effect."""

    name: Literal["dividemix"] = "dividemix"
    networks: Annotated[int, Field(ge=1, le=2)] = 2
    warmup_epochs: Annotated[int, Field(ge=0)] | Literal["auto"] = 10
    """auto: until the two groups of losses stop moving apart, by the rule of
    trainable/noisy_labels/auto_warmup.py."""
    conf_penalty: Literal["auto", "on", "off"] = "auto"
    """Negative entropy added to the warm-up loss. auto: for class-dependent noise (the authors'
    rule, which uses knowledge of the noise)."""

    # Division
    co_divide: bool = True
    """A network trains on the division that its peer made; false: on its own."""
    division: Literal["loss", "embedding", "both"] = "loss"
    """What tells clean from noisy: the loss; the label's share of votes among the nearest
    neighbours in feature space, which then is the clean probability (SSR); or a mixture in the
    plane of both."""
    neighbors: Annotated[int, Field(ge=2)] = 200
    """Voters on a label, itself included (SSR's k). Without effect where `division` is the loss."""
    normalise_losses: bool = True
    """Losses are scaled to [0, 1] before the mixture is fitted (code); false: as they are
    (paper)."""
    loss_history: Annotated[int, Field(ge=1)] = 1
    """The mixture sees the mean of the last so many normalised losses (the authors: 5 at 90 %
    noise, else 1)."""
    mixture: Literal["gmm", "bmm"] = "gmm"
    """Two Gaussians, or two Beta distributions (Arazo et al. 2019, which the paper compares
    with)."""
    monotone_posterior: bool = False
    """The clean probability never rises with the loss: mends a Gaussian whose tail wins at the
    smallest losses."""
    p_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """A sample is labeled if its clean probability is greater (code; the paper writes ≥)."""
    p_inclusive: bool = False
    """A clean probability of exactly `p_threshold` is enough (paper)."""
    class_balanced: bool = False
    """As many labeled samples, but equally many of each given class, those with the highest clean
    probability (UNICON's uniform selection)."""
    agreement: Literal["none", "published", "intended", "strict"] = "none"
    """Labeled are only samples for which both networks predict one class. intended: just that;
    strict: and it is the given label; published: as intended, but any clean probability above 0
    will do (as the COMP6248 code does)."""

    # Targets
    n_aug: Annotated[int, Field(ge=1, le=8)] = 2
    """Augmented views of each image in a step: averaged in its target, and a row each in the mixed
    batch."""
    augment: Literal["weak", "augdesc"] = "weak"
    """weak: the data set's crops and flips, in one set of views. augdesc: targets are predicted
    from those, and another `n_aug` views, which AutoAugment makes strong, are learned from
    (AugDesc-WS, Nishi et al. 2021). Warm-up is weak."""
    co_refine: bool = True
    """Labels are mixed with the network's own prediction by the clean probability; false: the given
    labels."""
    co_guess: bool | Literal["peer"] = True
    """Unlabeled targets from both networks; false: the own one only; peer: the other one only."""
    peer_update: Literal["sequential", "synchronous"] = "sequential"
    """Guide of the second network: the first as just trained (CIFAR code), or as it was before the
    epoch (WebVision code)."""
    guess_mode: Literal["train", "eval"] = "train"
    """Mode of the trained network (BatchNorm) while it predicts targets; its peer is always in eval
    mode."""
    guess_batched: bool = False
    """The trained network predicts all views in one forward: faster, and in train mode another
    algorithm, since BatchNorm then sees them together. In eval mode it is the same up to
    rounding."""
    temperature: Annotated[float, Field(gt=0)] = 0.5
    """Sharpening of refined and guessed targets; 1: none."""
    sharpen: Literal["both", "refine", "guess"] = "both"
    """Which targets are sharpened."""
    hard_labels: Literal["off", "refine", "guess", "both"] = "off"
    """Which targets become their largest class (sharpening to the end)."""

    # Step
    mixup: bool = True
    alpha: Positive = 4.0
    """MixUp's weight is max(l, 1−l) with l ~ Beta(alpha, alpha)."""
    mixup_partner: Literal["all", "same_set"] = "all"
    """Partners come from all rows of the batch, or labeled ones from the labeled and unlabeled from
    the unlabeled."""
    forward_rows: Literal["all", "labeled"] = "all"
    """Mixed rows that the network learns from. labeled: unlabeled images are partners only and
    `lambda_u` has no effect (Clothing1M and WebVision code); a third of the work is saved."""
    lambda_u: NonNegative = 25.0
    """Weight of the unlabeled loss, in the code's convention (mean over classes too)."""
    unlabeled_loss: Literal["mean", "sum"] = "mean"
    """Squared differences are averaged over classes (code) or summed (paper: C times as large)."""
    rampup_epochs: NonNegative = 16.0
    """`lambda_u` grows linearly over so many epochs after warm-up; 0: at once (paper)."""
    prior_penalty: NonNegative = 1.0
    """Weight of KL(prior ‖ mean prediction); 0: off."""
    prior: Annotated[list[Positive], Field(min_length=2)] | None = None
    """Expected class frequencies, one number a class, in any unit, for data whose classes are not
    equally common; null: uniform."""

    ensemble: Literal["logits", "probabilities"] = "logits"
    """The networks' outputs are summed (code), or their softmax (paper), wherever both are asked.
    Trains nothing."""

    @property
    def shortest_warmup(self) -> int:
        """`warmup_epochs`, or the fewest that `auto` may decide on."""
        return 1 if self.warmup_epochs == "auto" else self.warmup_epochs

    @property
    def losses_averaged(self) -> int:
        """`loss_history`: each division needs the losses of the same samples in earlier ones."""
        return self.loss_history

    @property
    def needs_agreement(self) -> bool:
        """Whether any rule of `agreement` compares the networks' predictions."""
        return self.agreement != "none"

    @property
    def class_frequencies(self) -> list[float] | None:
        """`prior`, as it is written."""
        return self.prior

    @model_validator(mode="after")
    def _peer_exists(self) -> "DivideMix":
        if self.networks == 1:
            for field, alone in (
                ("co_guess", {True, False}),
                ("peer_update", {"sequential"}),
                ("agreement", {"none"}),
            ):
                if (value := getattr(self, field)) not in alone:
                    raise ValueError(
                        f"`{field}: {value}` needs `networks: 2`: one network has no peer"
                    )
        return self

    @model_validator(mode="after")
    def _one_dimension(self) -> "DivideMix":
        if self.division != "loss":
            for field, value in (("mixture", "bmm"), ("monotone_posterior", True)):
                if getattr(self, field) == value:
                    shown = str(value).lower()
                    raise ValueError(
                        f"`{field}: {shown}` is about the loss alone: it needs `division: loss`"
                    )
        return self
