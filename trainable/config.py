"""`TrialConfig`: every field that changes a trial's result, and nothing else.

Defaults are the behaviour of the authors' public code (github.com/LiJunnan1992/DivideMix, `Train_cifar.py`); where the
paper (arXiv 2002.07394) differs, the field says so. Device, threads, data folders and concurrency are not here: they
may not change a result. Data sets and noise models are in `trainable/data/config.py`, networks in
`trainable/models/config.py`, the methods that DivideMix is compared with in `trainable/methods/config.py`. All import
pydantic only, so a study can be checked without loading torch.
"""

import hashlib
import json
from typing import Annotated, Any, Literal

from pydantic import (
    Field,
    SerializeAsAny,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from trainable.data.config import (  # noqa: F401 (sections are found here, whatever file they are in)
    Cifar10,
    Data,
    Digits,
    ImageData,
    Noise,
    NoNoise,
    Npz,
    PairNoise,
    SymmetricNoise,
)
from trainable.methods.config import CoTeaching, CoTeachingPlus, Elr, ElrPlus, Jocor, MixMatch, MixUp, Retrain
from trainable.mistakes import Misfit, explain, suggestion  # noqa: F401
from trainable.models.config import Model, PreactResNet18, SmallCnn, Timm  # noqa: F401
from trainable.own import checked, is_own, own_section
from trainable.section import NonNegative, Positive, Section
from trainable.start import Start

SCHEMA = 2
"""Part of every trial's id: raise it when a default or the meaning of a field changes, and old results become stale."""


# --- training -----------------------------------------------------------------------------------------------------


class Train(Section):
    """An optimiser a network and its schedule, kept through all phases."""

    epochs: Annotated[int, Field(ge=1)] = 300
    """Rows of the trial, warm-up included. (The authors' loop runs 301.)"""
    batch_size: Annotated[int, Field(ge=2)] = 64
    """Labeled images a step, with as many unlabeled. Warm-up and cross-entropy take twice as many (authors' code)."""
    optimizer: Literal["sgd", "adam"] = "sgd"
    """adam: what the authors of Co-teaching, Co-teaching+ and JoCoR use, with `lr` 0.001 and without weight decay."""
    lr: Positive = 0.02
    momentum: Annotated[float, Field(ge=0, lt=1)] = 0.9
    """Of SGD; Adam's first beta (its second is 0.999)."""
    weight_decay: NonNegative = 5e-4
    lr_schedule: Literal["step", "cosine", "one_cycle"] = "step"
    """cosine: half a wave from `lr` towards 0 over all `epochs`. one_cycle: from 0 to `lr` over the first 30 % of them,
    then back to 0, in straight lines (Smith 2018). `lr_milestones` and `lr_gamma` then have no effect."""
    lr_milestones: list[Annotated[int, Field(ge=1)]] = [150]
    """Numbers of finished epochs at which lr is multiplied by `lr_gamma`."""
    lr_gamma: Annotated[float, Field(gt=0, le=1)] = 0.1
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Decay, a step, of a moving average of the weights. The average is what is tested and kept; training, division and
    guesses use the weights themselves. 0: the weights are tested."""
    precision: Literal["fp32", "bf16"] = "fp32"
    """Of the networks' passes; weights, losses and steps are fp32 in any case. bf16 is for GPUs: a CPU without
    instructions for it is several times slower."""


# --- methods ------------------------------------------------------------------------------------------------------


class DivideMix(Start):
    """DivideMix and its switches. `networks: 1` divides and guesses by itself; `co_divide` then has no effect."""

    name: Literal["dividemix"] = "dividemix"
    networks: Annotated[int, Field(ge=1, le=2)] = 2
    warmup_epochs: Annotated[int, Field(ge=0)] | Literal["auto"] = 10
    """auto: until the two groups of losses stop moving apart, by the rule of trainable/warmup.py."""
    conf_penalty: Literal["auto", "on", "off"] = "auto"
    """Negative entropy added to the warm-up loss. auto: for class-dependent noise (the authors' rule, which uses
    knowledge of the noise)."""

    # Division
    co_divide: bool = True
    """A network trains on the division that its peer made; false: on its own."""
    division: Literal["loss", "embedding", "both"] = "loss"
    """What tells clean from noisy: the loss; the label's share of votes among the nearest neighbours in feature space,
    which then is the clean probability (SSR); or a mixture in the plane of both."""
    neighbors: Annotated[int, Field(ge=2)] = 200
    """Voters on a label, itself included (SSR's k). Without effect where `division` is the loss."""
    normalise_losses: bool = True
    """Losses are scaled to [0, 1] before the mixture is fitted (code); false: as they are (paper)."""
    loss_history: Annotated[int, Field(ge=1)] = 1
    """The mixture sees the mean of the last so many normalised losses (the authors: 5 at 90 % noise, else 1)."""
    mixture: Literal["gmm", "bmm"] = "gmm"
    """Two Gaussians, or two Beta distributions (Arazo et al. 2019, which the paper compares with)."""
    monotone_posterior: bool = False
    """The clean probability never rises with the loss: mends a Gaussian whose tail wins at the smallest losses."""
    p_threshold: Annotated[float, Field(ge=0, lt=1)] = 0.5
    """A sample is labeled if its clean probability is greater (code; the paper writes ≥)."""
    p_inclusive: bool = False
    """A clean probability of exactly `p_threshold` is enough (paper)."""
    class_balanced: bool = False
    """As many labeled samples, but equally many of each given class, those with the highest clean probability
    (UNICON's uniform selection)."""
    agreement: Literal["none", "published", "intended", "strict"] = "none"
    """Labeled are only samples for which both networks predict one class. intended: just that; strict: and it is the
    given label; published: as intended, but any clean probability above 0 will do (as the COMP6248 code does)."""

    # Targets
    n_aug: Annotated[int, Field(ge=1, le=8)] = 2
    """Augmented views of each image in a step: averaged in its target, and a row each in the mixed batch."""
    augment: Literal["weak", "augdesc"] = "weak"
    """weak: the data set's crops and flips, in one set of views. augdesc: targets are predicted from those, and another
    `n_aug` views, which AutoAugment makes strong, are learned from (AugDesc-WS, Nishi et al. 2021). Warm-up is weak."""
    co_refine: bool = True
    """Labels are mixed with the network's own prediction by the clean probability; false: the given labels."""
    co_guess: bool | Literal["peer"] = True
    """Unlabeled targets from both networks; false: the own one only; peer: the other one only."""
    peer_update: Literal["sequential", "synchronous"] = "sequential"
    """Guide of the second network: the first as just trained (CIFAR code), or as it was before the epoch (WebVision
    code)."""
    guess_mode: Literal["train", "eval"] = "train"
    """Mode of the trained network (BatchNorm) while it predicts targets; its peer is always in eval mode."""
    guess_batched: bool = False
    """The trained network predicts all views in one forward: faster, and in train mode another algorithm, since
    BatchNorm then sees them together. In eval mode it is the same up to rounding."""
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
    """Partners come from all rows of the batch, or labeled ones from the labeled and unlabeled from the unlabeled."""
    forward_rows: Literal["all", "labeled"] = "all"
    """Mixed rows that the network learns from. labeled: unlabeled images are partners only and `lambda_u` has no effect
    (Clothing1M and WebVision code); a third of the work is saved."""
    lambda_u: NonNegative = 25.0
    """Weight of the unlabeled loss, in the code's convention (mean over classes too)."""
    unlabeled_loss: Literal["mean", "sum"] = "mean"
    """Squared differences are averaged over classes (code) or summed (paper: C times as large)."""
    rampup_epochs: NonNegative = 16.0
    """`lambda_u` grows linearly over so many epochs after warm-up; 0: at once (paper)."""
    prior_penalty: NonNegative = 1.0
    """Weight of KL(prior ‖ mean prediction); 0: off."""
    prior: Annotated[list[Positive], Field(min_length=2)] | None = None
    """Expected class frequencies, one number a class, in any unit, for data whose classes are not equally common;
    null: uniform."""

    ensemble: Literal["logits", "probabilities"] = "logits"
    """The networks' outputs are summed (code), or their softmax (paper), wherever both are asked. Trains nothing."""

    @property
    def shortest_warmup(self) -> int:
        """`warmup_epochs`, or the fewest that `auto` may decide on."""
        return 1 if self.warmup_epochs == "auto" else self.warmup_epochs

    @model_validator(mode="after")
    def _peer_exists(self) -> "DivideMix":
        if self.networks == 1:
            for field, alone in (("co_guess", {True, False}), ("peer_update", {"sequential"}), ("agreement", {"none"})):
                if (value := getattr(self, field)) not in alone:
                    raise ValueError(f"`{field}: {value}` needs `networks: 2`: one network has no peer")
        return self

    @model_validator(mode="after")
    def _one_dimension(self) -> "DivideMix":
        if self.division != "loss":
            for field, value in (("mixture", "bmm"), ("monotone_posterior", True)):
                if getattr(self, field) == value:
                    shown = str(value).lower()
                    raise ValueError(f"`{field}: {shown}` is about the loss alone: it needs `division: loss`")
        return self


class CrossEntropy(Start):
    """Plain training on the given labels; with two networks their summed logits are tested, as DivideMix's are."""

    name: Literal["cross_entropy"] = "cross_entropy"
    networks: Annotated[int, Field(ge=1, le=2)] = 2


# --- trial --------------------------------------------------------------------------------------------------------

Method = Annotated[
    DivideMix | CrossEntropy | MixUp | CoTeaching | CoTeachingPlus | Jocor | Elr | ElrPlus | MixMatch | Retrain,
    Field(discriminator="name"),
]


class TrialConfig(Section):
    """All that decides a trial's rows, together with the code and the libraries."""

    data: Data = Digits()
    noise: Noise = NoNoise()
    model: SerializeAsAny[Model] = SmallCnn()
    train: Train = Train()
    method: SerializeAsAny[Method] = DivideMix()
    from_arm: str | None = None
    """The finished trial that this one uses, with the same setting and seed. A study names its arm; in a trial it is
    that trial's id."""
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0

    @field_validator("model", "method", mode="wrap")
    @classmethod
    def _named_otherwise(cls, content: Any, known: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        """`FILE.py:CLASS` and `timm:NAME` beside the known names."""
        name = content.get("name") if isinstance(content, dict) else None
        if is_own(name):
            kind: Literal["model", "method"] = "model" if info.field_name == "model" else "method"
            return own_section(kind, content, (info.context or {}).get("study_dir"))
        if info.field_name == "model" and isinstance(name, str) and name.startswith("timm:"):
            return checked(Timm, content)
        return known(content)

    @model_validator(mode="after")
    def _source_fits(self) -> "TrialConfig":
        needed_by = getattr(self.method, "source_needed_by", None)
        if needed_by and self.from_arm is None:
            value = getattr(self.method, needed_by)
            what = f"`{needed_by}: {value}` needs the key `from_arm`, the name of the arm whose trial it uses"
            raise Misfit(("method", needed_by), what)
        if self.from_arm is not None and not needed_by:
            users = "`method.name: retrain` and `method.init: from_arm`"
            raise Misfit(("from_arm",), f"`{self.from_arm}` is used by nothing: that is for {users}")
        return self

    @model_validator(mode="after")
    def _prior_fits(self) -> "TrialConfig":
        prior, classes = getattr(self.method, "prior", None), self.data.known_classes
        if prior and classes and len(prior) != classes:
            raise Misfit(("method", "prior"), f"has {len(prior)} numbers, and the data have {classes} classes")
        return self


def trial_id(config: TrialConfig) -> str:
    """16 hex digits that name what a trial computes.

    Hashed are the schema number, the seed, and the fields that differ from their defaults: a new field with a default
    keeps old results valid. Of own code and of weights the content counts, not the place.
    """
    changed: dict[str, Any] = {"schema": SCHEMA, "seed": config.seed}
    for section in ("data", "noise", "model", "train", "method"):
        model: Section = getattr(config, section)
        changed[section] = model.model_dump(exclude_defaults=True)
        if "name" in type(model).model_fields:
            changed[section]["name"] = model.name.rpartition(".py:")[2]  # type: ignore[attr-defined]
        if isinstance(model, Start):
            changed[section].pop("weights", None)
    if config.from_arm is not None:
        changed["from_arm"] = config.from_arm
    return hashlib.sha256(json.dumps(changed, sort_keys=True).encode()).hexdigest()[:16]
