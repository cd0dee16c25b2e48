"""The keys of study files, as pydantic models: what both kinds share, and an ablation's."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field

from orchestrator.study.planned_trial import LONGEST_NAME, NAME
from trainable.config.base import Positive, Section


def _name(text: str) -> str:
    """Return the name if it can be a folder. Raises ValueError."""
    if not NAME.fullmatch(text) or len(text) > LONGEST_NAME:
        raise ValueError(
            f"`{text}` cannot be a name: it becomes a folder, "
            f"so use up to {LONGEST_NAME} of a-z 0-9 _ . = + , - "
            "and begin with a letter, a digit or _"
        )
    return text


def unique(items: list[Any]) -> list[Any]:
    """Return the items if none is repeated. Raises ValueError."""
    repeated = {str(item) for item in items if items.count(item) > 1}
    if repeated:
        raise ValueError(f"{', '.join(sorted(repeated))} stands more than once")
    return items


Name = Annotated[str, AfterValidator(_name)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]
Seeds = Annotated[list[Seed], Field(min_length=1), AfterValidator(unique)]
AtLeastOne = Annotated[int, Field(ge=1)]


class Factor(Section):
    """Values that one field takes, around the baseline."""

    values: Annotated[list[Any], Field(min_length=1), AfterValidator(unique)]


class Resources(Section):
    """What one trial takes.

    `gpu: auto` is one GPU where there is one, else none; a trial uses one GPU or a part of it.
    """

    cpu: Positive = 1.0
    """Its whole part is also the number of threads."""
    gpu: Annotated[float, Field(ge=0, le=1)] | Literal["auto"] = "auto"


class Run(Section):
    """How trials are run; none of it changes a result."""

    max_concurrent_trials: AtLeastOne | None = None
    """None: as many as the resources allow."""
    max_failures: Annotated[int, Field(ge=0)] = 2
    """How often a trial that raises is tried again, from its checkpoint."""
    checkpoint_every: AtLeastOne = 1
    """Epochs between a trial's checkpoints."""
    trial_timeout: Positive | None = None
    """Seconds of training after which a trial is given up, named as a failure; None: never."""
    stall_timeout: Positive = 3600.0
    """Seconds without an epoch from any trial after which the run ends.

    Ray's control process can die silently.
    """
    resident: bool | Literal["auto"] = "auto"
    """Whether image files are all decoded into memory, or in every epoch anew.

    auto: in memory if they fit.
    """
    compile: bool = False
    """On a GPU: whether whole batches run through `torch.compile` and CUDA graphs.

    Rounding then differs from a run without it.
    """
    pictures_every: AtLeastOne | None = None
    """Epochs between TensorBoard's pictures of a division.

    None: the first, a middle and the last one.
    """


class Analysis(Section):
    """How results are judged."""

    margin: Annotated[float, Field(gt=0, le=100)] = 0.5
    """Equivalence margin in percentage points.

    An arm is equivalent to the baseline if the interval of its difference is within ± this margin.
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
