"""A study file: its models, all its checks, and its expansion into trials.

`load` shows every mistake of a file at once, with file and line, before anything starts.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AfterValidator, Field, ValidationError

from orchestrator.expand import LONGEST_NAME, NAME, Expansion, PlannedTrial
from trainable import strict_yaml
from trainable.config import Section, explain, suggestion
from trainable.strict_yaml import ConfigError, Document, Problem


def _name(text: str) -> str:
    if not NAME.fullmatch(text) or len(text) > LONGEST_NAME:
        raise ValueError(
            f"`{text}` cannot be a name: it becomes a folder, so use up to {LONGEST_NAME} of a-z 0-9 _ . = + , - "
            "and begin with a letter, a digit or _"
        )
    return text


def _unique(items: list[Any]) -> list[Any]:
    if repeated := sorted({str(item) for item in items if items.count(item) > 1}):
        raise ValueError(f"{', '.join(repeated)} stands more than once")
    return items


Name = Annotated[str, AfterValidator(_name)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class Factor(Section):
    """Values that one field takes, around the baseline."""

    values: Annotated[list[Any], Field(min_length=1), AfterValidator(_unique)]


class Resources(Section):
    """What one trial takes. `gpu: auto` is one GPU where there is one, else none."""

    cpu: Annotated[float, Field(gt=0)] = 1.0
    gpu: Annotated[float, Field(ge=0)] | Literal["auto"] = "auto"


class Run(Section):
    """How trials are run; none of it changes a result."""

    max_concurrent_trials: Annotated[int, Field(ge=1)] | None = None
    """None: as many as the resources allow."""
    max_failures: Annotated[int, Field(ge=0)] = 2
    """How often a trial that raises is tried again, from its checkpoint."""
    checkpoint_every: Annotated[int, Field(ge=1)] = 1
    """Epochs between a trial's checkpoints."""
    trial_timeout: Annotated[float, Field(gt=0)] | None = None
    """Seconds of training after which a trial is given up, named as a failure; None: never."""
    stall_timeout: Annotated[float, Field(gt=0)] = 3600.0
    """Seconds without an epoch from any trial after which the run ends: Ray's control process can die silently."""
    resident: bool | Literal["auto"] = "auto"
    """Whether image files are all decoded into memory, or in every epoch anew; auto: in memory if they fit."""


class Analysis(Section):
    """How results are judged."""

    margin: Annotated[float, Field(gt=0, le=100)] = 0.5
    """An arm is equivalent to the baseline if the interval of its difference lies within ± so many points."""


class StudyFile(Section):
    """The keys of a study file."""

    name: Name
    kind: Literal["ablation"] = "ablation"
    seeds: Annotated[list[Seed], Field(min_length=1), AfterValidator(_unique)]
    base: dict[str, Any] = {}
    arms: dict[Name, dict[str, Any]] = {}
    factors: dict[str, Factor] = {}
    design: Literal["one_at_a_time", "product"] = "one_at_a_time"
    settings: dict[Name, dict[str, Any]] = {}
    resources: Resources = Resources()
    run: Run = Run()
    analysis: Analysis = Analysis()


@dataclass
class Study:
    """A checked study: its file, its trials in the order in which they run, and what deserves a warning."""

    path: Path
    text: str
    file: StudyFile
    trials: list[PlannedTrial]
    warnings: list[str] = field(default_factory=list)

    @property
    def name(self) -> str:
        """Name of the study and of its results folder."""
        return self.file.name


def load(path: Path, sets: list[str] | None = None) -> Study:
    """Read, check and expand a study file; `sets` are `key=value` changes such as `base.train.epochs=3`.

    Raises:
        ConfigError: with every mistake found.
    """
    document = strict_yaml.read(path)
    raw = document.data
    if not isinstance(raw, dict):
        document.report((), "a study is a mapping with at least `name` and `seeds`", 1)
        raise ConfigError(path, document.problems)
    for change in sets or []:
        _set(document, change)

    file = None
    try:
        file = StudyFile.model_validate(raw)
    except ValidationError as error:
        for where, message in explain(error, StudyFile):
            document.report(where, message)
    expansion = Expansion(document)
    if document.problems or file is None:
        raise ConfigError(path, document.problems)
    text = Path(path).read_text(encoding="utf-8")
    if sets:
        text = f"# as changed by {' '.join(f'--set {s}' for s in sets)}\n{yaml.safe_dump(raw, sort_keys=False)}"
    study = Study(Path(path), text, file, list(expansion.trials(file.seeds)))
    study.warnings += expansion.warnings
    return study


def _set(document: Document, change: str) -> None:
    """Apply one `--set key=value` to the study's data; the value is read as YAML. Raises ConfigError."""
    source = f"--set {change}"
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise ConfigError(source, [Problem(0, "", "write it as key=value, for instance base.train.epochs=3")])
    try:
        value = strict_yaml.parse(text, source)
    except ConfigError:
        raise ConfigError(source, [Problem(0, key, f"{text} is not a YAML value")]) from None
    if value.problems:
        raise ConfigError(source, value.problems)
    path: tuple[str, ...] = ()
    target, rest = document.data, key
    while True:
        head = _head(target, rest, path)
        path, rest = (*path, head), rest[len(head) + 1 :]
        if not rest:
            break
        if target.get(head) is None:
            target[head] = {}
        target = target[head]
        if not isinstance(target, dict):
            raise ConfigError(source, [Problem(0, key, f"`{head}` has no keys of its own")])
    if len(path) == 1 and head not in StudyFile.model_fields:
        known = suggestion(head, list(StudyFile.model_fields))
        raise ConfigError(source, [Problem(0, key, f"a study has no key `{head}`{known}")])
    target[head] = value.data
    for place in [path, *(known for known in document.lines if known[: len(path)] == path)]:
        document.lines[place] = 0  # no line of the file is to blame for it


def _head(target: dict[str, Any], rest: str, path: tuple[str, ...]) -> str:
    """The next key of a dotted path: keys may contain dots themselves, so the longest that is there wins."""
    there = [key for key in target if rest == key or rest.startswith(f"{key}.")]
    if there:
        return max(there, key=len)
    if path == ("factors",):
        return rest.removesuffix(".values")
    return rest.partition(".")[0] if not path or path in (("arms",), ("settings",)) else rest
