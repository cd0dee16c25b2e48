"""Reading a study's folder: planned trials with their summaries, and rows per epoch."""

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from trainable.storage.trial_folder import PLACE, TrialFolder

PLANNED = ("id", "setting", "arm", "seed", "family", "baseline", "folder")
LAST10 = "test/accuracy_last10"
NOT_RUN = "not run"


class NoResults(Exception):
    """A folder holds no study's results."""


@dataclass(frozen=True)
class Results:
    """One study.

    Attributes:
        trials: one row a planned trial: setting ("" where the study has none), arm, seed, id, family, baseline, folder,
            source (name of the trial that it uses, or None), state (done, failed or missing), reason (why it is not
            done), collapsed, and the summary's fields of done ones.
        margin: differences within ± so many points count as none.
        factors: paths of the fields that the study's factors change.
    """

    root: Path
    study: str
    trials: pd.DataFrame
    margin: float = 0.5
    factors: list[str] = field(default_factory=list)
    _measured: dict[str, pd.DataFrame] = field(default_factory=dict, repr=False, compare=False)

    @property
    def done(self) -> pd.DataFrame:
        """Finished trials only."""
        return self.trials[self.trials["state"] == "done"]

    @property
    def settings(self) -> list[str]:
        """Settings in the study's order; [""] where it has none."""
        return list(self.trials["setting"].unique())

    @property
    def begun(self) -> "Results":
        """The study without the settings of which no trial has been run, unless that is so of all."""
        run = self.trials[~self.trials["reason"].str.startswith(NOT_RUN)]
        there = self.trials["setting"].isin(run["setting"].unique())
        return replace(self, trials=self.trials[there]) if there.any() else self

    def folder(self, trial: Mapping[Any, Any]) -> TrialFolder:
        """The folder of a row of `trials`."""
        return TrialFolder(self.root / trial["folder"])

    def rows(self, *columns: str) -> pd.DataFrame:
        """Rows of all finished trials: epoch, the named metrics, setting, arm and seed."""
        names = ["epoch", *columns]
        parts = []
        for trial in self.done[["setting", "arm", "seed", "folder"]].to_dict("records"):
            part = self._numbers(trial).reindex(columns=names)
            parts.append(part.assign(**{name: trial[name] for name in ("setting", "arm", "seed")}))
        if not parts:
            return pd.DataFrame(columns=[*names, "setting", "arm", "seed"])
        return pd.concat(parts, ignore_index=True).astype({"epoch": int})

    def _numbers(self, trial: Mapping[Any, Any]) -> pd.DataFrame:
        """A trial's numbers by epoch, read once: parsing thousands of trials takes most of a report's time."""
        if trial["folder"] not in self._measured:
            folder = self.folder(trial)
            try:
                rows = pd.read_json(folder.path / "metrics.jsonl", lines=True, engine="pyarrow")
            except (OSError, ValueError):  # rows are lost or torn; line by line, all whole ones are found
                rows = pd.DataFrame(folder.rows())
            self._measured[trial["folder"]] = rows.select_dtypes("number").astype(float)
        return self._measured[trial["folder"]]

    def epochs(self, trial: Mapping[Any, Any]) -> int:
        """How many rows of a trial can be read."""
        return len(self._numbers(trial))

    def first_done(self, setting: str, arm: str) -> dict[Any, Any] | None:
        """The finished trial of an arm with the study's first seed of those that finished."""
        found = self.done[(self.done["setting"] == setting) & (self.done["arm"] == arm)].to_dict("records")
        return dict(found[0]) if found else None

    def config(self, trial: Mapping[Any, Any]) -> dict[str, Any]:
        """A trial's resolved configuration, as plain data."""
        return dict((self.folder(trial).trial or {}).get("config") or {})

    def samples(self, trial: Mapping[Any, Any]) -> dict[str, np.ndarray]:
        """A finished trial's table of training samples; empty if it is lost or damaged."""
        try:
            with np.load(
                io.BytesIO((self.folder(trial).path / "samples.npz").read_bytes()), allow_pickle=False
            ) as table:
                return dict(table)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, RuntimeError):
            return {}

    def fingerprints(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """(name, `trial.json`) of each finished trial."""
        for trial in self.done[["folder"]].to_dict("records"):
            yield trial["folder"].removeprefix("runs/"), self.folder(trial).trial or {}


def read_results(root: Path) -> Results:
    """Read a study's folder; a trial of another id than planned counts as missing.

    Raises:
        NoResults: there is no readable plan in it.
    """
    try:
        plan = json.loads((root / "trials.json").read_bytes())
        study, planned = plan["study"], [_planned(trial) for trial in plan["trials"]]
        if not planned:
            raise ValueError("no trials")
        if strange := [t["folder"] for t in planned if not PLACE.fullmatch(t["folder"].removeprefix("runs/"))]:
            raise NoResults(f"{root}/trials.json: {strange[0]} is no folder of a trial")
    except (OSError, ValueError, KeyError, TypeError):
        raise NoResults(f"{root} holds no study's results (there is no readable trials.json in it)") from None
    trials = pd.DataFrame([_trial(root, trial) for trial in planned])
    results = Results(root, study, trials, plan.get("margin", 0.5), plan.get("factors", []))
    trials["collapsed"] = _collapsed(results)
    return results


def _planned(trial: dict[str, Any]) -> dict[str, Any]:
    return {**{name: trial[name] for name in PLANNED}, "source": trial.get("source")}


def _trial(root: Path, planned: dict[str, Any]) -> dict[str, Any]:
    folder, source = TrialFolder(root / planned["folder"]), planned["source"]
    about, summary, failure = folder.trial, folder.summary, folder.failure
    state, reason = "missing", NOT_RUN
    if source and TrialFolder(root / "runs" / source).summary is None:
        reason = f"{NOT_RUN}: it uses {source}, which has no result"
    if about and about.get("id") != planned["id"]:
        summary, reason = None, "its folder holds a trial of other settings (stale)"
    elif about is None and summary:
        summary, reason = None, "its folder does not say what was trained"
    elif summary:
        state, reason = "done", ""
    elif about and failure:
        state, reason = "failed", f"{failure.get('kind', '')}: {failure.get('message', '')}"
    elif (folder.path / "summary.json").exists():
        reason = "its summary.json is damaged"
    elif about:
        reason = "not finished"
    return {**(summary or {}), **planned, "setting": planned["setting"] or "", "state": state, "reason": reason}


def _collapsed(results: Results) -> pd.Series:
    """Whether a finished run ended nearer to chance than to the best seed of its arm."""
    collapsed = pd.Series(False, index=results.trials.index)
    if LAST10 not in results.trials:
        return collapsed
    for _, group in results.done.groupby("setting"):
        tables = (results.samples(trial) for trial in group.to_dict("records"))
        labels = next((table["given"] for table in tables if len(table.get("given", ()))), None)
        if labels is None:
            continue
        chance = 100 / (int(labels.max()) + 1)
        best = group.groupby("arm")[LAST10].transform("max")
        collapsed[group.index] = group[LAST10] < (best + chance) / 2
    return collapsed


def value_at(config: dict[str, Any], path: str) -> Any:
    """The value of a dotted path in a configuration; None where there is none."""
    content: Any = config
    for key in path.split("."):
        content = content.get(key) if isinstance(content, dict) else None
    return content
