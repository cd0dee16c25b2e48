"""Run a completed trial again and compare its rows."""

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trainable.config.runtime import Machine
from trainable.config.trial import CodeInResults, TrialConfig, stored_config
from trainable.storage import names
from trainable.storage.checksums import Damaged
from trainable.storage.names import RUNS, TRIAL
from trainable.storage.result import read_result
from trainable.storage.trial_folder import TrialFolder
from trainable.trial.lineage import why_unfinished
from trainable.trial.session import Session


class NotATrial(Exception):
    """A folder holds no completed trial."""


@dataclasses.dataclass(frozen=True)
class Reproduction:
    """Result of a second run.

    Args:
        epochs: epochs of the first run.
        epoch: the first epoch that differs; None if all are the same.
        metrics: names of the metrics that differ in it.
        fingerprint: fields of the fingerprint that differ.
        added: metrics that the code of the second run records, and that of the first did not.
    """

    epochs: int
    epoch: int | None
    metrics: list[str]
    fingerprint: list[str]
    added: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Write `identical: all 30 rows, times excepted`, or the first differences."""
        if self.identical:
            new = f"; new metrics, not compared: {', '.join(self.added)}" if self.added else ""
            return f"identical: all {self.epochs} rows, times excepted{new}"
        shown = ", ".join(self.metrics[:6])
        if len(self.metrics) > 6:
            shown += ", …"
        return f"different from epoch {self.epoch} on: {shown}"

    @property
    def identical(self) -> bool:
        """Whether all rows are the same, except for seconds."""
        return self.epoch is None


def reproduce(path: Path, machine: Machine, own_code: bool = False) -> Reproduction:
    """Run the trial of a folder again in a temporary folder, and compare the rows.

    The folder may contain the `source` of an own method or model. This code is executed only with
    `own_code`.

    Raises:
        NotATrial: the folder holds no completed trial, or it cannot or may not be run again.
    """
    old = TrialFolder(path)
    try:
        summary = read_result(path)
    except Damaged as error:
        raise NotATrial(f"{path} is damaged: {error}") from None
    if old.trial is not None and summary is None:
        raise NotATrial(f"{path} contains no completed trial{why_unfinished(path)}")
    if summary is None or old.trial is None:
        raise NotATrial(
            f"{path} contains no completed trial (its trial.json and summary.json are needed)"
        )
    if "lineage" in old.trial:
        raise NotATrial(
            f"{path} continues the checkpoint of another trial (lineage in trial.json), "
            "so it cannot be run again by itself"
        )
    try:
        config = stored_config(old.trial["config"], own_code)
    except CodeInResults:
        raise NotATrial(
            f"{path}/trial.json holds the code of an own method or model: "
            "read it, then add --own-code"
        ) from None
    except (KeyError, ValidationError):
        raise NotATrial(
            f"{path}/trial.json was written by another version, "
            "with fields that this one does not know"
        ) from None
    machine = dataclasses.replace(_as_then(machine, old), source_dir=_source(path, config))
    with tempfile.TemporaryDirectory(prefix="reproduce-") as folder:
        session = Session(config, folder, machine)
        while not session.finished:
            session.advance()
        session.close()
        new = TrialFolder(folder)
        if new.summary is None:
            reason = session.no_space or (new.failure or {}).get("message", "it did not finish")
            raise NotATrial(f"the trial cannot be run again: {reason}")
        return compare(old, new)


def _as_then(machine: Machine, old: TrialFolder) -> Machine:
    """Return this machine with the first run's threads, and its CPU if that run used the CPU.

    Rounding depends on both.
    """
    made = _fingerprint(old)
    threads = made.get("threads", machine.threads)
    device = machine.device
    if str(made.get("device", "")).startswith("cpu"):
        device = "cpu"
    return dataclasses.replace(machine, threads=threads, device=device)


def _fingerprint(folder: TrialFolder) -> dict[str, Any]:
    fingerprint: dict[str, Any] = (folder.trial or {}).get("fingerprint", {})
    return fingerprint


def _source(path: Path, config: TrialConfig) -> Path | None:
    """Return the present folder of the trial that this one depends on. Raises NotATrial."""
    if config.from_arm is None:
        return None
    runs = next((parent for parent in path.resolve().parents if parent.name == RUNS), path)
    for file in runs.rglob(f"seed={config.seed}/{TRIAL}"):
        if (TrialFolder(file.parent).trial or {}).get("id") == config.from_arm:
            return file.parent
    raise NotATrial(f"{path} depends on the trial {config.from_arm}, which is not below {runs}")


def compare(old: TrialFolder, new: TrialFolder) -> Reproduction:
    """Compare two folders of one trial, row by row."""
    fields = _differing(_fingerprint(old), _fingerprint(new))
    old_rows = old.rows()
    new_rows = new.rows()
    added = _added(old_rows, new_rows) if "code" in fields else []
    for epoch in range(1, max(len(old_rows), len(new_rows)) + 1):
        before = _untimed(old_rows, epoch)
        after = _untimed(new_rows, epoch)
        for name in added:
            after.pop(name, None)
        if before != after:
            return Reproduction(len(old_rows), epoch, _differing(before, after), fields)
    return Reproduction(len(old_rows), None, [], fields, tuple(added))


def _added(old: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[str]:
    """Return the sorted names of metrics that only the new rows have."""
    known = {name for row in old for name in row}
    return sorted({name for row in new for name in row if names.is_metric(name)} - known)


def _differing(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """Return the sorted names of fields that differ."""
    every = sorted({*first, *second})
    return [name for name in every if first.get(name) != second.get(name)]


def _untimed(rows: list[dict[str, Any]], epoch: int) -> dict[str, Any]:
    """Return the row of an epoch (from 1) as JSON keeps it, without seconds; empty if none."""
    if epoch > len(rows):
        return {}
    row = {name: value for name, value in rows[epoch - 1].items() if not name.startswith("time/")}
    kept: dict[str, Any] = json.loads(json.dumps(row))
    return kept
