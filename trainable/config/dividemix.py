"""Fields of DivideMix, one per switch.

Defaults follow the authors' public code (github.com/LiJunnan1992/DivideMix, `Train_cifar.py`).
The docstring of a field states where the paper (arXiv 2002.07394) differs.
"""

import math
from typing import Annotated, Literal

from pydantic import Field, model_validator

from trainable.config.base import NonNegative, Positive
from trainable.config.initialization import Start


class DivideMix(Start):
    """DivideMix and its switches.

    With `networks: 1` the network divides the samples and guesses labels for itself; `co_divide`
    then has no effect.
    """

    of_report = frozenset({"recipe"})

    name: Literal["dividemix"] = "dividemix"
    recipe: Literal["published", "robust"] = "published"
    """Values of fields that are left out, in `method` and `train`. published: the defaults; robust:
    those of trainable/config/recipes.py. A trial's id depends on the values alone."""
    networks: Annotated[int, Field(ge=1, le=2)] = 2
    """Number of networks."""
    warmup_epochs: Annotated[int, Field(ge=0)] | Literal["auto"] = 10
    """Epochs of warm-up on all given labels. auto: warm-up ends when the losses of clean and noisy
    samples stop separating (rule of trainable/noisy_labels/auto_warmup.py)."""
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    """Least number of optimiser steps of each network in warm-up. Small data have few steps in
    `warmup_epochs`: warm-up then has as many epochs as these steps take, at most half of all
    epochs, but never fewer than `warmup_epochs`. No effect with `warmup_epochs: auto`."""
    guard: bool = False
    """Whether a failed division is undone: where the ensemble agrees with significantly fewer
    validation labels than after warm-up in two epochs in a row, the networks of the end of warm-up
    come back, and warm-up continues to the last epoch (trainable/methods/division_guard.py)."""
    conf_penalty: Literal["auto", "on", "off"] = "auto"
    """Confidence penalty: negative entropy added to the warm-up loss. auto: on for class-dependent
    noise (the authors' rule, which uses knowledge of the noise)."""

    # Division
    co_divide: bool = True
    """Whether a network trains on the division by its peer; false: on its own division."""
    division: Literal["loss", "embedding", "both"] = "loss"
    """Evidence for clean labels. loss: a mixture of losses. embedding: the clean probability is the
    label's share of votes among the nearest neighbours in feature space (SSR). both: a mixture in
    the plane of loss and share of votes. Features are those of the network; of `data.name:
    embeddings`, the data's own."""
    neighbors: Annotated[int, Field(ge=2)] = 200
    """Number of neighbours that vote on a label, the sample included (SSR's k). No effect with
    `division: loss`."""
    normalise_losses: bool = True
    """Whether losses are scaled to [0, 1] before the mixture is fitted (code); false: not scaled
    (paper)."""
    loss_history: Annotated[int, Field(ge=1)] = 1
    """Number of past divisions whose normalised losses are averaged before the mixture is fitted
    (the authors: 5 at 90 % noise, else 1)."""
    mixture: Literal["gmm", "bmm"] = "gmm"
    """Mixture model of the losses. gmm: two Gaussians; bmm: two Beta distributions (Arazo et al.
    2019, a baseline of the paper)."""
    monotone_posterior: bool = False
    """Whether the clean probability is made non-increasing in the loss. It corrects a noisy
    Gaussian whose tail dominates at the smallest losses."""
    p_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """A sample enters the labeled set if its clean probability exceeds this value (code; the paper
    writes ≥)."""
    p_inclusive: bool = False
    """Whether a clean probability equal to `p_threshold` suffices (paper)."""
    class_balanced: bool = False
    """Whether the labeled set has equally many samples of each given class, those with the highest
    clean probability. Its size stays about the same (UNICON's uniform selection)."""
    agreement: Literal["none", "published", "intended", "strict"] = "none"
    """Restriction of the labeled set to samples for which both networks predict the same class.
    intended: no further condition. strict: the class is also the given label. published: as
    intended, but any clean probability above 0 suffices (COMP6248 code)."""

    # Targets
    n_aug: Annotated[int, Field(ge=1, le=8)] = 2
    """Number of augmented views of each image in a step. The predictions of the views are averaged
    in the target; each view is a row of the mixed batch."""
    augment: Literal["weak", "augdesc"] = "weak"
    """Augmentation of the views. weak: crops and flips of the data set. augdesc: targets are
    predicted from weak views, and the network learns from `n_aug` further views with AutoAugment
    (AugDesc-WS, Nishi et al. 2021). Warm-up is always weak."""
    co_refine: bool = True
    """Whether a label is mixed with the network's own prediction, weighted by the clean
    probability; false: the given label is the target."""
    co_guess: bool | Literal["peer"] = True
    """Networks that predict the targets of the unlabeled set. true: both; false: the trained one;
    peer: the other one."""
    peer_update: Literal["sequential", "synchronous"] = "sequential"
    """State of the first network while it guides the second. sequential: after its training in this
    epoch (CIFAR code). synchronous: before the epoch (WebVision code)."""
    guess_mode: Literal["train", "eval"] = "train"
    """BatchNorm mode of the trained network while it predicts targets; its peer is always in eval
    mode."""
    guess_batched: bool = False
    """Whether the trained network predicts all views in one forward pass, which is faster. In train
    mode the algorithm changes, because BatchNorm normalises all views together. In eval mode the
    result is equal up to rounding."""
    temperature: Annotated[float, Field(gt=0)] = 0.5
    """Temperature of the sharpening of refined and guessed targets; 1: no sharpening."""
    sharpen: Literal["both", "refine", "guess"] = "both"
    """Targets that are sharpened."""
    hard_labels: Literal["off", "refine", "guess", "both"] = "off"
    """Targets that are replaced by the one-hot vector of their largest class (the limit of
    sharpening)."""

    # Step
    mixup: bool | Literal["auto"] = True
    """Whether the rows of a batch are mixed in pairs. auto: if the networks at the end of warm-up
    predict the given labels of the validation set poorly (trainable/noisy_labels/label_kappa.py);
    without warm-up they do."""
    alpha: Positive = 4.0
    """Parameter of MixUp's weight, which is max(l, 1−l) with l ~ Beta(alpha, alpha)."""
    mixup_partner: Literal["all", "same_set"] = "all"
    """Rows from which a partner is drawn. all: the whole batch; same_set: labeled rows for a
    labeled row, unlabeled rows for an unlabeled one."""
    forward_rows: Literal["all", "labeled"] = "all"
    """Mixed rows that the network learns from. labeled: unlabeled images are partners only, and
    `lambda_u` has no effect (Clothing1M and WebVision code); this saves a third of the work."""
    lambda_u: NonNegative | Literal["auto"] = 25.0
    """Weight of the unlabeled loss, in the convention of the code (a mean over classes too). auto:
    by the share of samples that the division of each epoch puts into the unlabeled set
    (trainable/noisy_labels/unlabeled_weight.py)."""
    unlabeled_loss: Literal["mean", "sum"] = "mean"
    """Reduction of the squared differences over classes. mean: code; sum: paper, C times as
    large."""
    rampup_epochs: NonNegative = 16.0
    """Number of epochs after warm-up over which `lambda_u` grows linearly from 0; 0: no ramp-up
    (paper)."""
    prior_penalty: NonNegative = 1.0
    """Weight of KL(prior ‖ mean prediction); 0: off."""
    prior: Annotated[list[Positive], Field(min_length=2)] | None = None
    """Expected class frequencies, one number per class, in any unit, for imbalanced classes; null:
    uniform."""

    ensemble: Literal["logits", "probabilities"] = "logits"
    """Outputs that are summed in the ensemble of the networks. logits: code; probabilities: softmax
    (paper). It does not affect training."""

    @property
    def averages(self) -> Literal["logits", "probabilities"]:
        """As `ensemble` says."""
        return self.ensemble

    @property
    def divides(self) -> bool:
        """The loss mixture gives every sample a clean probability."""
        return True

    @property
    def shortest_warmup(self) -> int:
        """Number of warm-up epochs; with `auto` the smallest possible number."""
        return 1 if self.warmup_epochs == "auto" else self.warmup_epochs

    def warmup_length(self, epochs: int, steps: int) -> int:
        """Return the number of warm-up epochs; with `auto` the smallest possible number.

        Args:
            epochs: of the trial.
            steps: of an epoch of warm-up.
        """
        shortest = self.shortest_warmup
        if self.warmup_epochs == "auto" or not self.warmup_steps:
            return shortest
        return max(shortest, min(math.ceil(self.warmup_steps / steps), epochs // 2))

    @property
    def losses_averaged(self) -> int:
        """Number of divisions whose losses are averaged; all must have the same samples."""
        return self.loss_history

    @property
    def needs_agreement(self) -> bool:
        """Whether a rule of `agreement` compares the networks' predictions."""
        return self.agreement != "none"

    @property
    def class_frequencies(self) -> list[float] | None:
        """The field `prior`."""
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
