"""A study file becomes a checked study: its models applied, its trials expanded, its searches planned.

`load` shows every mistake of a file at once, with file and line, before anything starts.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from analysis.results.study_folder import StudyPlan
from orchestrator.study import search_checks
from orchestrator.study.expand import Expansion
from orchestrator.study.planned_trial import PlannedTrial
from orchestrator.study.schema import AblationFile
from orchestrator.study.search_plan import SearchPlan
from orchestrator.study.search_schema import Parameter, SearchFile
from trainable.config import strict_yaml
from trainable.config.messages import explain, suggestion
from trainable.config.strict_yaml import ConfigError, Document, Problem

FILES: dict[str, type[AblationFile] | type[SearchFile]] = {
    "ablation": AblationFile,
    "search": SearchFile,
}


@dataclass
class Study:
    """A checked study: its file, its trials in the order in which they run, and what deserves a warning.

    Of a search, the trials are those of its confirmation that are known before it has run.
    """

    path: Path
    text: str
    file: AblationFile | SearchFile
    trials: list[PlannedTrial]
    warnings: list[str] = field(default_factory=list)
    search: SearchPlan | None = None

    @property
    def plan(self) -> StudyPlan:
        """The study as its results folder keeps it."""
        factors = list(self.file.factors) if isinstance(self.file, AblationFile) else []
        records = [trial.record for trial in self.trials]
        return StudyPlan(
            self.name, self.file.run.max_failures, records, self.file.analysis.margin, factors
        )

    @property
    def name(self) -> str:
        """Name of the study and of its results folder."""
        return self.file.name


def load_study(path: Path, sets: list[str] | None = None) -> Study:
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

    kind = raw.get("kind", "ablation")
    if kind not in ("ablation", "search"):
        document.report(
            ("kind",), f"{kind} is not a kind of study: it should be 'ablation' or 'search'"
        )
        kind = "ablation"
    file = None
    try:
        file = FILES[kind].model_validate({**raw, "kind": kind})
    except ValidationError as error:
        for where, message in explain(error, FILES[kind]):
            document.report(where, message)
    expansion = Expansion(document, Path(path).parent)
    if document.problems or file is None:
        raise ConfigError(path, document.problems)
    text = Path(path).read_text(encoding="utf-8")
    if sets:
        text = f"# as changed by {' '.join(f'--set {s}' for s in sets)}\n{yaml.safe_dump(raw, sort_keys=False)}"
    if isinstance(file, AblationFile):
        study = Study(Path(path), text, file, list(expansion.trials(file.seeds)))
        study.warnings += expansion.warnings
        return study
    planned, warnings = search_checks.plan(document, file, expansion)
    if document.problems:
        raise ConfigError(path, document.problems)
    return Study(Path(path), text, file, planned.confirmations({}), warnings, planned)


def _set(document: Document, change: str) -> None:
    """Apply one `--set key=value` to the study's data; the value is read as YAML. Raises ConfigError."""
    source = f"--set {change}"
    key, equals, text = change.partition("=")
    if not equals or not key:
        raise ConfigError(
            source, [Problem(0, "", "write it as key=value, for instance base.train.epochs=3")]
        )
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
    keys = list(FILES.get(str(document.data.get("kind")), AblationFile).model_fields)
    if len(path) == 1 and head not in keys:
        known = suggestion(head, keys)
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
    if path == ("space",):
        above, _, last = rest.rpartition(".")
        return above if above and last in Parameter.model_fields else rest
    return rest.partition(".")[0] if not path or path in (("arms",), ("settings",)) else rest
