"""Keys of study files as pydantic models: those of both kinds, and those of an ablation."""

from collections import Counter
from collections.abc import Hashable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from orchestrator.study.planned_trial import LONGEST_NAME, NAME
from trainable.config.base import Positive, Section
from trainable.config.messages import Misfit


def _name(text: str) -> str:
    """Return the name if it can be a folder. Raises ValueError."""
    if not NAME.fullmatch(text) or len(text) > LONGEST_NAME:
        raise ValueError(
            f"`{text}` cannot be a name, because names become folders; "
            f"use up to {LONGEST_NAME} of a-z 0-9 _ . = + , - "
            "and begin with a letter, a digit or _"
        )
    return text


def unique(items: list[Any]) -> list[Any]:
    """Return the items if none is repeated. Raises ValueError."""
    counts = Counter(item if isinstance(item, Hashable) else repr(item) for item in items)
    repeated = sorted(str(item) for item, count in counts.items() if count > 1)
    if repeated:
        raise ValueError(f"{', '.join(repeated)} is listed more than once")
    return items


Name = Annotated[str, AfterValidator(_name)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(unique)]
AtLeastOne = Annotated[int, Field(ge=1)]
LONGEST = 500
"""Largest number of seeds that are added."""


class UntilDecided(Section):
    """Seeds that are added until each question of the study is answered."""

    until: Literal["decided"]
    """The only value: better, worse or equivalent is certain enough (docs/statistics.md)."""
    at_least: Annotated[int, Field(ge=2, le=LONGEST)] = 6
    """Number of seeds of every arm before the first look."""
    at_most: Annotated[int, Field(ge=2, le=LONGEST)] = 64
    """Number of seeds after which an arm is left undecided."""
    first: Annotated[int, Field(ge=0, lt=2**62)] = 0
    """The first seed; the others follow in order."""

    @model_validator(mode="after")
    def _ordered(self) -> "UntilDecided":
        if self.at_least > self.at_most:
            raise Misfit(
                ("at_least",),
                f"{self.at_least} is more than at_most, {self.at_most}; lower it or raise at_most",
            )
        return self


class Budget(Section):
    """What a study may cost."""

    hours: Positive
    """Wall time of all runs of the study together; no trial begins after it."""


class Factor(Section):
    """Values that one field takes, around the baseline."""

    values: Annotated[list[Any], Field(min_length=1), AfterValidator(unique)]
    """Values of the field; each becomes an arm, but for the value of the baseline."""


class Resources(Section):
    """Resources of one trial.

    `gpu: auto` is one GPU if the node has one, else none. A trial uses at most one GPU.
    """

    cpu: Positive = 1.0
    """CPU cores; the integer part is also the number of threads."""
    gpu: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = "auto"
    """GPU, or share of one, for each trial. auto: one if the node has one, else none."""


class Run(Section):
    """How trials are run; these keys do not change the results."""

    max_concurrent_trials: AtLeastOne | None = None
    """Upper limit of concurrent trials; null: limited by the resources only."""
    max_failures: Annotated[int, Field(ge=0)] = 2
    """Number of times that a trial which raises is resumed from its checkpoint."""
    checkpoint_every: AtLeastOne = 1
    """Epochs between a trial's checkpoints."""
    trial_timeout: Positive | None = None
    """Seconds of training after which a trial is stopped and counted as failed; null: no limit."""
    stall_timeout: Annotated[float, Field(ge=1)] = 3600.0
    """Seconds without an epoch from any trial after which the run ends; at least one.

    Ray's control process can die silently.
    """
    resident: bool | Literal["auto"] = "auto"
    """Whether image files are decoded once and kept in memory; otherwise in every epoch.

    auto: in memory if they fit.
    """
    compile: bool = False
    """Whether full batches use `torch.compile` and CUDA graphs on a GPU.

    Rounding then differs from a run without them.
    """
    pictures_every: AtLeastOne | None = None
    """Epochs between TensorBoard's figures of a division.

    null: figures of the first, a middle and the last division.
    """
    budget: Budget | None = None
    """What a study that adds seeds until it is decided may cost; null: no limit."""


class Analysis(Section):
    """How results are judged."""

    margin: Annotated[float, Field(gt=0, le=100)] = 0.5
    """Equivalence margin in percentage points.

    An arm is equivalent to the baseline if the interval of its difference is within ±margin.
    """


class AblationAnalysis(Analysis):
    """How the results of an ablation are judged."""

    primary: Name | None = None
    """The arm whose difference from the baseline the study is about; the report begins with it."""


class _Ablation(Section):
    """The keys of an ablation's study file, without its seeds."""

    name: Name
    """Name of the study and of its results folder."""
    kind: Literal["ablation"] = "ablation"
    """An ablation compares arms with the baseline on the same seeds."""
    base: dict[str, Any] = {}
    """Fields of the arm `baseline`, nested or by dotted path; the others have their defaults."""
    arms: dict[Name, dict[str, Any]] = {}
    """What differs from the baseline, by name of the arm."""
    factors: dict[str, Factor] = {}
    """Values of single fields, by dotted path."""
    design: Literal["one_at_a_time", "product"] = "one_at_a_time"
    """one_at_a_time: each value of a factor is an arm. product: all combinations are."""
    settings: dict[Name, dict[str, Any]] = {}
    """Columns of the study, such as noise rates: every arm and seed is trained in each of them."""
    resources: Resources = Resources()
    """Resources of one trial."""
    run: Run = Run()
    """How trials are run; no key changes a result."""
    analysis: AblationAnalysis = AblationAnalysis()
    """How results are judged."""


class AblationFile(_Ablation):
    """An ablation with a fixed list of seeds."""

    seeds: Seeds
    """Paired seeds: a list of integers, or `{until: decided}`."""

    @model_validator(mode="after")
    def _without_budget(self) -> "AblationFile":
        if self.run.budget is not None:
            raise Misfit(
                ("run", "budget"),
                "it needs seeds that are added: write `seeds: {until: decided}` in place of a list",
            )
        return self


class SequentialFile(_Ablation):
    """An ablation that adds seeds until its questions are answered."""

    seeds: UntilDecided
    """Paired seeds, added until each question is decided."""

    @model_validator(mode="after")
    def _one_at_a_time(self) -> "SequentialFile":
        if self.design == "product":
            raise Misfit(
                ("design",),
                "the effects of a product need a fixed list of seeds; write one, or "
                "`one_at_a_time`",
            )
        return self
