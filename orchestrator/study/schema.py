"""Keys of study files as pydantic models: those of both kinds, and those of an ablation."""

from collections import Counter
from collections.abc import Hashable
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from orchestrator.study.planned_trial import LONGEST_NAME, NAME
from trainable.config.base import Positive, Section


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


class Factor(Section):
    """Values that one field takes, around the baseline."""

    values: Annotated[list[Any], Field(min_length=1), AfterValidator(unique)]


class Resources(Section):
    """Resources of one trial.

    `gpu: auto` is one GPU if the node has one, else none. A trial uses at most one GPU.
    """

    cpu: Positive = 1.0
    """CPU cores; the integer part is also the number of threads."""
    gpu: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = "auto"


class Run(Section):
    """How trials are run; these keys do not change the results."""

    max_concurrent_trials: AtLeastOne | None = None
    """Upper limit of concurrent trials; None: limited by the resources only."""
    max_failures: Annotated[int, Field(ge=0)] = 2
    """Number of times that a trial which raises is resumed from its checkpoint."""
    checkpoint_every: AtLeastOne = 1
    """Epochs between a trial's checkpoints."""
    trial_timeout: Positive | None = None
    """Seconds of training after which a trial is stopped and counted as failed; None: no limit."""
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

    None: figures of the first, a middle and the last division.
    """


class Analysis(Section):
    """How results are judged."""

    margin: Annotated[float, Field(gt=0, le=100)] = 0.5
    """Equivalence margin in percentage points.

    An arm is equivalent to the baseline if the interval of its difference is within ±margin.
    """


class AblationFile(Section):
    """The keys of an ablation's study file."""

    name: Name
    kind: Literal["ablation"] = "ablation"
    seeds: Seeds
    base: dict[str, Any] = {}
    arms: dict[Name, dict[str, Any]] = {}
    factors: dict[str, Factor] = {}
    design: Literal["one_at_a_time", "product"] = "one_at_a_time"
    settings: dict[Name, dict[str, Any]] = {}
    resources: Resources = Resources()
    run: Run = Run()
    analysis: Analysis = Analysis()
