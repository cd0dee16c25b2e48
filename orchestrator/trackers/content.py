"""What a tracker is told of a study: one run an arm, and below it one run a seed.

It is read from the results folder alone. Keys are the same on every machine and at every export,
and those of two studies differ, although their names may be equal.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from analysis.report.answers import answers
from analysis.report.verdicts import sentence
from analysis.results.read import Results, read_results
from analysis.results.registration import read_registration
from analysis.results.study_plan import BASELINE
from analysis.stats.columns import ARM, DIFFERENCE, TRUE_ACCURACY, TRUE_DIFFERENCE
from trainable.storage import names
from trainable.storage.rows import is_number

Status = Literal["running", "finished", "failed"]
STATUS: Mapping[str, Status] = {
    "done": "finished",
    "stopped": "finished",
    "failed": "failed",
    "blocked": "failed",
}
"""State of a trial that has ended → status of its run."""
BEGUN = ("partial", "done", "stopped", "failed")
"""States of trials that have runs. The folder of a stale one holds another trial."""
OF_ARM = (*ARM, *DIFFERENCE, *TRUE_ACCURACY, *TRUE_DIFFERENCE)
"""Columns of the comparison that are numbers of an arm's run."""

OF_SEED = ("seed", "from_arm")
"""Fields of a configuration that differ between the seeds of an arm."""
StudyKey = tuple[str, float | None]
"""Name of a study, and time of its first registration (s since 1970; None: it has none)."""


@dataclass(frozen=True)
class SeedRun:
    """One trial.

    Attributes:
        key: 16 hex digits that identify the trial in this study.
        name: `seed=n`.
        status: whether more rows may follow.
        config: the trial's configuration, dotted path → value.
        rows: one row an epoch.
        summary: numbers of the summary; empty unless the trial is done.
        files: name → file, to be stored with the run.
    """

    key: str
    name: str
    status: Status
    config: dict[str, Any]
    rows: list[dict[str, Any]]
    summary: dict[str, float]
    files: dict[str, Path]


@dataclass(frozen=True)
class ArmRun:
    """One arm, with its seeds.

    Attributes:
        key: 16 hex digits that identify the arm in this study.
        name: `[setting/]arm`.
        config: the configuration that all its seeds have, dotted path → value.
        numbers: number of seeds, mean, intervals, … (`OF_ARM`), those that are known.
        verdict: `baseline`, or what the comparison with it says; "" as long as it says nothing.
        sentence: the same in words.
        files: name → file, to be stored with the run.
        seeds: trials that have begun.
        ended: whether all planned trials have ended.
    """

    key: str
    name: str
    config: dict[str, Any]
    numbers: dict[str, float]
    verdict: str
    sentence: str
    files: dict[str, Path]
    seeds: list[SeedRun] = field(repr=False)
    ended: bool


@dataclass(frozen=True)
class StudyContent:
    """A study as trackers get it."""

    name: str
    arms: list[ArmRun]

    @property
    def runs(self) -> int:
        """Number of runs: arms and trials."""
        return len(self.arms) + sum(len(arm.seeds) for arm in self.arms)


def read_content(run_dir: Path) -> StudyContent:
    """Read a study's results folder. Raises NoStudy."""
    results = read_results(run_dir)
    table = answers(results).table
    registered = read_registration(run_dir).entries
    study = (results.study, registered[0].time if registered else None)
    arms = []
    for row in table.to_dict("records"):
        arm = _arm(results, study, dict(row))
        if arm.seeds:
            arms.append(arm)
    return StudyContent(results.study, arms)


def _arm(results: Results, study: StudyKey, row: dict[Any, Any]) -> ArmRun:
    """Return the run of a row of the comparison."""
    setting = str(row["setting"])
    arm = str(row["arm"])
    planned = results.of_arm(setting, arm).to_dict("records")
    seeds = [_seed(results, study, trial) for trial in planned if trial["state"] in BEGUN]
    config = dict(seeds[0].config) if seeds else {}
    for name in OF_SEED:
        config.pop(name, None)
    numbers = {name: float(row[name]) for name in OF_ARM if is_known(row.get(name))}
    verdict = str(row["verdict"])
    words = sentence(row, results.margin) if verdict else ""
    if arm == BASELINE:
        verdict = BASELINE
    states = {str(trial["state"]) for trial in planned}
    return ArmRun(
        key=_key(*study, setting, arm),
        name="/".join(filter(None, [setting, arm])),
        config=config,
        numbers=numbers,
        verdict=verdict,
        sentence=words,
        files=dict(_study_files(results)) if arm == BASELINE else {},
        seeds=seeds,
        ended=states <= set(STATUS),
    )


def _seed(results: Results, study: StudyKey, trial: Mapping[Any, Any]) -> SeedRun:
    """Return the run of a planned trial."""
    folder = results.folder(trial)
    content = folder.trial or {}
    state = str(trial["state"])
    files = {}
    for name in (names.TRIAL, names.SUMMARY, names.FAILURE):
        if (folder.path / name).is_file():
            files[name] = folder.path / name
    summary = folder.summary or {} if state == "done" else {}
    return SeedRun(
        key=_key(*study, str(trial["setting"]), str(trial["arm"]), str(trial["id"])),
        name=f"seed={trial['seed']}",
        status=STATUS.get(state, "running"),
        config=dict(_dotted(content.get("config") or {})),
        rows=folder.rows(),
        summary={name: float(value) for name, value in summary.items() if is_number(value)},
        files=files,
    )


def _study_files(results: Results) -> Iterator[tuple[str, Path]]:
    """Yield the study file and the report, which the baselines' runs get."""
    report = results.root / names.REPORT
    for path in (
        results.root / names.STUDY,
        report / names.REPORT_PAGE,
        report / names.REPORT_TEXT,
    ):
        if path.is_file():
            yield path.name, path


def _dotted(content: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the fields of a configuration by dotted path, without the text of own code."""
    for key, value in content.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{prefix}{key}.")
        elif key != "source":
            yield f"{prefix}{key}", value


def is_known(value: Any) -> bool:
    """Return whether a cell of the comparison has a number."""
    try:
        return math.isfinite(value)
    except TypeError:
        return False


def metrics_of(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the numbers of a row, except its epoch."""
    found = {}
    for name, value in row.items():
        if name != "epoch" and is_number(value):
            found[name] = float(value)
    return found


def _key(*parts: str | float | None) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
