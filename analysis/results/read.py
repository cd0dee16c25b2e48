"""Read a study's folder: planned trials with their summaries, and rows per epoch."""

import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.results.measure import Measure, measure
from analysis.results.rows import numbers_of, read_columns
from analysis.results.selected_trials import Place
from analysis.results.study_folder import State, on_other_data, study_states
from analysis.results.study_plan import (
    DeclaredNoise,
    NoStudy,
    SequentialDesign,
    TrialRecord,
    read_plan,
)
from analysis.results.trial_failures import what_failed
from analysis.results.trial_files import TrialFiles, read_folders
from trainable.storage import names
from trainable.storage.trial_folder import TrialFolder

NOT_RUN = "not run"


@dataclass(frozen=True)
class Results:
    """One study.

    Attributes:
        trials: one row per planned trial: setting ("" if the study has none), arm, seed, id,
            family, baseline, folder, source (name of the trial that it depends on, or None),
            other_labels (see `TrialRecord`), state (as in `status`; for a running trial, the state
            of its folder), reason (why it is not done), failure (why a completed run counts as
            failed, or ""), failed, and the fields of the summary if it is done.
        margin: equivalence margin in percentage points.
        factors: paths of the fields that the study's factors change.
        design: how seeds are added until the questions are decided; None for a fixed list.
        primary: the arm whose difference from the baseline the study is about, if it names one.
        test_noise: setting ("" if the study has none) → declared noise of the test labels.
    """

    root: Path
    study: str
    trials: pd.DataFrame
    margin: float = 0.5
    factors: list[str] = field(default_factory=list)
    design: SequentialDesign | None = None
    primary: str | None = None
    test_noise: Mapping[str, DeclaredNoise] = field(default_factory=dict)
    _files: Mapping[str, TrialFiles] = field(default_factory=dict, repr=False, compare=False)

    @property
    def done(self) -> pd.DataFrame:
        """Completed trials only."""
        return self.trials[self.trials["state"] == "done"]

    @property
    def measure(self) -> Measure:
        """Words for what `test/accuracy` measures."""
        return measure(self.done)

    @property
    def places(self) -> list[Place]:
        """The setting, arm and seed of each trial."""
        columns = (self.trials[name] for name in ("setting", "arm", "seed"))
        return [Place(row, *named) for row, named in enumerate(zip(*columns, strict=True))]

    @property
    def settings(self) -> list[str]:
        """Settings in the study's order; [""] if it has none."""
        return list(self.trials["setting"].unique())

    @property
    def begun(self) -> "Results":
        """The study without settings that have not been run; unchanged if none has been run."""
        run = self.trials[~self.trials["reason"].str.startswith(NOT_RUN)]
        there = self.trials["setting"].isin(run["setting"].unique())
        if not there.any():
            return self
        return replace(self, trials=self.trials[there])

    def folder(self, trial: Mapping[Any, Any]) -> TrialFolder:
        """Return the folder of a row of `trials`."""
        return TrialFolder(self.root / trial["folder"])

    def rows(self, *columns: str) -> pd.DataFrame:
        """Return the rows of all completed trials: epoch, metrics, setting, arm and seed."""
        done = self.done
        folders = [self.root / folder for folder in done["folder"]]
        values, counts = read_columns(folders, ["epoch", *columns])
        rows = pd.DataFrame(values)
        for name in ("setting", "arm", "seed"):
            rows[name] = np.repeat(done[name].to_numpy(), counts)
        return rows.astype({"epoch": int})

    def metrics(self) -> list[str]:
        """Return the names of recorded numbers except epoch, in order of first appearance."""
        found = numbers_of([self.root / folder for folder in self.done["folder"]])
        return [name for name in found if name != "epoch"]

    @cached_property
    def _by_arm(self) -> dict[Any, pd.DataFrame]:
        """(setting, arm) → its planned trials."""
        return dict(list(self.trials.groupby(["setting", "arm"], sort=False)))

    def of_arm(self, setting: str, arm: str) -> pd.DataFrame:
        """Return the planned trials of an arm; none if the setting lacks it."""
        return self._by_arm.get((setting, arm), self.trials.iloc[:0])

    def first_done(self, setting: str, arm: str) -> dict[Any, Any] | None:
        """Return the completed trial of an arm with the first seed in the study's order."""
        planned = self.of_arm(setting, arm)
        found = planned[planned["state"] == "done"].head(1)
        if found.empty:
            return None
        return dict(found.to_dict("records")[0])

    def config(self, trial: Mapping[Any, Any]) -> dict[str, Any]:
        """Return a trial's resolved configuration as plain data; empty if it cannot be read."""
        return dict((self.folder(trial).trial or {}).get("config") or {})

    def samples(self, trial: Mapping[Any, Any], *wanted: str) -> dict[str, np.ndarray]:
        """Return a completed trial's table of samples; empty if it is missing or damaged.

        `wanted` are names of arrays; without any, all are returned.
        """
        file = self.folder(trial).path / names.SAMPLES
        try:
            content = io.BytesIO(file.read_bytes())
            with np.load(content, allow_pickle=False) as table:
                return {name: table[name] for name in wanted or table.files if name in table.files}
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError):
            return {}

    @property
    def data_notes(self) -> list[str]:
        """Return sentences of completed trials about files of their data that were not read."""
        if "data_notes" not in self.done:
            return []
        noted = self.done["data_notes"]
        return sorted({str(note) for notes in noted if isinstance(notes, list) for note in notes})

    def fingerprints(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield (name, `trial.json` without the configuration) of each completed trial."""
        for folder in self.done["folder"]:
            name = folder.removeprefix(f"{names.RUNS}/")
            files = self._files.get(name)
            yield name, (files.trial if files else None) or {}


def read_results(root: Path) -> Results:
    """Read a study's folder.

    Raises:
        NoStudy: there is no readable plan in it, or the plan has no trials.
    """
    plan = read_plan(root)
    if not plan.records:
        raise NoStudy(f"{root} contains no study results (its {names.PLAN} plans no trials)")
    files = read_folders(root, plan.records)
    states = study_states(plan.records, files, plan.max_failures)
    reasons = on_other_data(states, files)
    done = {record.name for record, state in states.items() if state == "done"}
    rows = []
    for record, state in states.items():
        held = files[record.name]
        row = _row(record, state, held)
        row["reason"] = ""
        if state != "done":
            waits = record.source is not None and record.source not in done
            row["reason"] = reasons.get(record) or _reason(record, state, held, waits)
        rows.append(row)
    trials = pd.DataFrame(rows)
    return Results(
        root=root,
        study=plan.study,
        trials=trials,
        margin=plan.margin,
        factors=plan.factors,
        design=plan.design,
        primary=plan.primary,
        test_noise=plan.test_noise,
        _files=files,
    )


def _row(record: TrialRecord, state: State, files: TrialFiles) -> dict[str, Any]:
    """Return a row of `Results.trials` without the reason; only done trials have metrics."""
    row: dict[str, Any] = {}
    failure = ""
    if state == "done" and files.summary:
        row.update(files.summary)
        failure = what_failed(files.summary)
    row.update(
        {
            "id": record.id,
            "setting": record.setting or "",
            "arm": record.arm,
            "seed": record.seed,
            "family": record.family,
            "baseline": record.baseline,
            "source": record.source,
            "other_labels": record.other_labels,
            "folder": f"{names.RUNS}/{record.name}",
            "state": state,
            "failure": failure,
            "failed": bool(failure),
        }
    )
    return row


def _reason(record: TrialRecord, state: State, files: TrialFiles, waits: bool) -> str:
    """Return why a trial has no result; `waits`: its dependency has no result either."""
    failed = ""
    if files.failure:
        failed = f"{files.failure.get('kind', '')}: {files.failure.get('message', '')}"
    match state:
        case "failed":
            return failed
        case "stopped":
            return "stopped early by a search's scheduler"
        case "damaged":
            return str(files.damage)
        case "stale":
            return "its folder holds a trial of another configuration"
    if files.failure:
        return f"not finished; its last attempt failed: {failed}"
    if files.trial is not None:
        return "not finished"
    if waits:
        return f"{NOT_RUN}: it uses {record.source}, which has no result"
    return NOT_RUN


def value_at(config: dict[str, Any], path: str) -> Any:
    """Return the value at a dotted path of a configuration; None if there is none."""
    content: Any = config
    for key in path.split("."):
        if not isinstance(content, dict):
            return None
        content = content.get(key)
    return content
