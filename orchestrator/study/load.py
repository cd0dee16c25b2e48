"""Load a study file: check it, expand its trials and define its searches.

`load_study` reports all mistakes of a file at once, with file and line.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from analysis.results.study_plan import BASELINE, DeclaredNoise, SequentialDesign, StudyPlan
from orchestrator.study import search_checks
from orchestrator.study.expand import expand
from orchestrator.study.expansion import Expansion
from orchestrator.study.planned_trial import PlannedTrial
from orchestrator.study.schema import AblationFile, SequentialFile
from orchestrator.study.search_definition import SearchPlan
from orchestrator.study.search_schema import Parameter, SearchFile
from orchestrator.study.unreached_milestones import unreached_milestones
from trainable.config import strict_yaml
from trainable.config.data_fields import OwnLabels
from trainable.config.messages import explain, suggestion
from trainable.config.strict_yaml import ConfigError, Document, Problem

StudyFile = AblationFile | SequentialFile | SearchFile
FILES: dict[str, type[AblationFile] | type[SearchFile]] = {
    "ablation": AblationFile,
    "search": SearchFile,
}


@dataclass
class Study:
    """A checked study: its file, its trials in the order in which they run, and its warnings.

    For a search, `trials` are the trials of its confirmation that are known before it runs. For a
    study that adds seeds, they are those of all seeds that it may use.
    """

    path: Path
    text: str
    file: StudyFile
    trials: list[PlannedTrial]
    warnings: list[str] = field(default_factory=list)
    search: SearchPlan | None = None
    useless: Mapping[tuple[str | None, str], list[Problem]] = field(default_factory=dict)
    """(setting, arm) → why its trials could not do what they are for."""
    design: SequentialDesign | None = None
    """How seeds are added, with the arms that have joined; None until a run has begun."""

    @property
    def plan(self) -> StudyPlan:
        """The study as its results folder keeps it."""
        factors: list[str] = []
        primary = None
        if not isinstance(self.file, SearchFile):
            factors = list(self.file.factors)
            primary = self.file.analysis.primary
        return StudyPlan(
            study=self.name,
            max_failures=self.file.run.max_failures,
            records=[trial.record for trial in self.trials],
            margin=self.file.analysis.margin,
            factors=factors,
            design=self.design,
            primary=primary,
            test_noise=self._test_noise(),
        )

    def _test_noise(self) -> dict[str, DeclaredNoise]:
        """Return setting (or "") → the noise that its baseline declares for the test labels."""
        found: dict[str, DeclaredNoise] = {}
        for trial in self.trials:
            data = trial.config.data
            if trial.record.arm == BASELINE and isinstance(data, OwnLabels):
                declared = data.test_noise_rate or data.test_noise_counts
                if declared is not None:
                    found[trial.record.setting or ""] = declared
        return found

    @property
    def sequential(self) -> bool:
        """Whether seeds are added until the questions are decided."""
        return isinstance(self.file, SequentialFile)

    @property
    def name(self) -> str:
        """Name of the study and of its results folder."""
        return self.file.name


def load_study(path: Path, sets: list[str] | None = None) -> Study:
    """Read, check and expand a study file.

    Args:
        path: the study file.
        sets: changes in the form `key=value`, such as `base.train.epochs=3`.

    Raises:
        ConfigError: the file has mistakes; the error lists all of them.
    """
    document = strict_yaml.read(path)
    raw = document.data
    if not isinstance(raw, dict):
        document.report((), "a study is a mapping with at least `name` and `seeds`", 1)
        raise ConfigError(path, document.problems)
    for change in sets or []:
        _set(document, change)

    file = _validated(document, raw)
    expansion = expand(document, Path(path).parent)
    document.problems += expansion.problems
    if file is not None and not isinstance(file, SearchFile) and not expansion.problems:
        _check_primary(document, file.analysis.primary, expansion)
    if document.problems or file is None:
        raise ConfigError(path, document.problems)
    text = document.text
    if sets:
        changes = " ".join(f"--set {change}" for change in sets)
        text = f"# as changed by {changes}\n{yaml.safe_dump(raw, sort_keys=False)}"
    if not isinstance(file, SearchFile):
        return Study(
            path=Path(path),
            text=text,
            file=file,
            trials=list(expansion.trials(_seeds(file))),
            warnings=[*expansion.warnings, *unreached_milestones(expansion.configs)],
            useless=expansion.useless,
        )
    planned, warnings = search_checks.plan(document, file, expansion)
    if document.problems:
        raise ConfigError(path, document.problems)
    return Study(
        path=Path(path),
        text=text,
        file=file,
        trials=planned.confirmations({}),
        warnings=[*warnings, *unreached_milestones(expansion.configs)],
        search=planned,
        useless=expansion.useless,
    )


def _check_primary(document: Document, primary: str | None, expansion: Expansion) -> None:
    """Report a primary arm that is not compared with the baseline."""
    if primary is None:
        return
    compared = []
    for trial in expansion.trials([0]):
        if trial.record.baseline and trial.record.arm not in compared:
            compared.append(trial.record.arm)
    if primary not in compared:
        document.report(
            ("analysis", "primary"),
            f"no arm `{primary}` is compared with the baseline{suggestion(primary, compared)}",
        )


def _seeds(file: AblationFile | SequentialFile) -> list[int]:
    """Return all seeds that an ablation may use, in their order."""
    if isinstance(file, AblationFile):
        return file.seeds
    return [file.seeds.first + place for place in range(file.seeds.at_most)]


def _validated(document: Document, raw: dict[str, Any]) -> StudyFile | None:
    """Check the keys of a study against the model of its kind; None if a mistake was reported."""
    kind = raw.get("kind", "ablation")
    if kind not in ("ablation", "search"):
        document.report(
            ("kind",), f"{kind} is not a kind of study; it should be 'ablation' or 'search'"
        )
        kind = "ablation"
    model: type[StudyFile] = FILES[kind]
    if model is AblationFile and isinstance(raw.get("seeds"), dict):
        model = SequentialFile
    try:
        return model.model_validate({**raw, "kind": kind})
    except ValidationError as error:
        for where, message in explain(error, model):
            document.report(where, message)
    return None


# --- changes by `--set` ---


def _set(document: Document, change: str) -> None:
    """Apply one `--set key=value` to the study's data; the value is read as YAML.

    Raises:
        ConfigError: the key or the value is wrong.
    """
    source = f"--set {change}"
    key, equals, text = change.partition("=")
    if not equals or not key:
        message = "is not of the form key=value; write for instance base.train.epochs=3"
        raise ConfigError(source, [Problem(0, "", message)])
    value = _parsed(text, key, source)
    target, path = _target(document.data, key, source)
    last = path[-1]
    kind = str(document.data.get("kind"))
    keys = list(FILES.get(kind, AblationFile).model_fields)
    if len(path) == 1 and last not in keys:
        message = f"a study has no key `{last}`{suggestion(last, keys)}"
        raise ConfigError(source, [Problem(0, key, message)])
    target[last] = value
    # The new value is on no line of the file.
    for place in list(document.lines):
        if place[: len(path)] == path:
            document.lines[place] = 0
    document.lines[path] = 0


def _parsed(text: str, key: str, source: str) -> Any:
    """Read the value of a `--set`."""
    try:
        value = strict_yaml.parse(text, source)
    except ConfigError:
        message = f"{text} is not a YAML value"
        raise ConfigError(source, [Problem(0, key, message)]) from None
    if value.problems:
        raise ConfigError(source, value.problems)
    return value.data


def _target(data: dict[str, Any], key: str, source: str) -> tuple[dict[str, Any], tuple[str, ...]]:
    """Find the mapping that a dotted key changes; mappings that do not exist are added.

    Returns:
        The mapping, and the path of keys to the value, of which the last is a key of the mapping.
    """
    target = data
    path: tuple[str, ...] = ()
    rest = key
    while True:
        head = _head(target, rest, path)
        path = (*path, head)
        rest = rest[len(head) + 1 :]
        if not rest:
            return target, path
        if target.get(head) is None:
            target[head] = {}
        target = target[head]
        if not isinstance(target, dict):
            raise ConfigError(source, [Problem(0, key, f"`{head}` has no keys of its own")])


def _head(target: dict[str, Any], rest: str, path: tuple[str, ...]) -> str:
    """Return the next key of a dotted path.

    Keys may contain dots themselves, so the longest one that exists is chosen.
    """
    existing = [key for key in target if rest == key or rest.startswith(f"{key}.")]
    if existing:
        return max(existing, key=len)
    if path == ("factors",):
        return rest.removesuffix(".values")
    if path == ("space",):
        above, _, last = rest.rpartition(".")
        return above if above and last in Parameter.model_fields else rest
    if path and path not in (("run",), ("arms",), ("settings",)):
        return rest
    return rest.partition(".")[0]
