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
from trainable.strict_yaml import ConfigError, Problem


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
        _set(raw, change, path)

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


def _set(raw: dict[str, Any], change: str, file: Path) -> None:
    """Apply one `--set key=value` to the study's data; the value is read as YAML."""
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise ConfigError(
            f"--set {change}", [Problem(0, "", "write it as key=value, for instance base.train.epochs=3")]
        )
    try:
        node = yaml.compose(text, yaml.SafeLoader)
        document = strict_yaml.Document(None, {})
        value = strict_yaml.plain(node, document) if node is not None else None
    except yaml.YAMLError:
        raise ConfigError(f"--set {change}", [Problem(0, key, f"{text} is not a YAML value")]) from None
    target, rest = raw, key
    while rest not in target and "." in rest:
        head, _, tail = rest.partition(".")
        if head not in target and target is raw and head not in StudyFile.model_fields:
            known = list(StudyFile.model_fields)
            raise ConfigError(
                f"--set {change}", [Problem(0, key, f"a study has no key `{head}`{suggestion(head, known)}")]
            )
        if target.get(head) is None:
            target[head] = {}
        if not isinstance(target[head], dict):
            raise ConfigError(f"--set {change}", [Problem(0, key, f"`{head}` has no keys of its own in {file}")])
        target, rest = target[head], tail
    target[rest] = value
