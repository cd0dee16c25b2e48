"""Running a finished trial again, and saying whether its rows come out the same."""

import dataclasses
import json
import tempfile
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig, stored_config
from trainable.storage.names import RUNS, TRIAL
from trainable.storage.trial_folder import TrialFolder
from trainable.trial.session import Session


class NotATrial(Exception):
    """A folder holds no finished trial."""


@dataclasses.dataclass(frozen=True)
class Reproduction:
    """What the second run showed.

    Args:
        epochs: epochs of the first run.
        epoch: the first epoch that differs; None if all are the same.
        metrics: names of the metrics that differ in it.
        fingerprint: fields of the fingerprint that differ.
    """

    epochs: int
    epoch: int | None
    metrics: list[str]
    fingerprint: list[str]

    def __str__(self) -> str:
        """`identical: all 30 rows, seconds aside`, or what differs, and from which epoch."""
        if self.identical:
            return f"identical: all {self.epochs} rows, seconds aside"
        shown = ", ".join(self.metrics[:6])
        if len(self.metrics) > 6:
            shown += ", …"
        return f"different from epoch {self.epoch} on: {shown}"

    @property
    def identical(self) -> bool:
        """Whether every row is the same but for its seconds."""
        return self.epoch is None


def reproduce(path: Path, machine: Machine, own_code: bool = False) -> Reproduction:
    """Run the trial of a folder again in a temporary one.

    The `source` of an own method or model is a program that came with the folder: it is run only
    with `own_code`.

    Raises:
        NotATrial: the folder holds no finished trial, or none that can and may be run again.
    """
    old = TrialFolder(path)
    if old.summary is None or old.trial is None:
        raise NotATrial(
            f"{path} holds no finished trial (its trial.json and summary.json are needed)"
        )
    if not own_code and _has_code(old.trial.get("config")):
        raise NotATrial(
            f"{path}/trial.json holds the code of an own method or model: "
            "read it, then add --own-code"
        )
    try:
        config = stored_config(old.trial["config"])
    except (KeyError, ValidationError):
        raise NotATrial(
            f"{path}/trial.json was written by a version whose fields are not known here"
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


def _has_code(config: Any) -> bool:
    if not isinstance(config, dict):
        return False
    return any(isinstance(section, dict) and "source" in section for section in config.values())


def _as_then(machine: Machine, old: TrialFolder) -> Machine:
    """This machine with the first run's threads, and on the CPU if that was.

    Sums depend on both.
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
    """Folder of the trial that this one used, where it is now in the study. Raises NotATrial."""
    if config.from_arm is None:
        return None
    runs = next((parent for parent in path.resolve().parents if parent.name == RUNS), path)
    for file in runs.rglob(f"seed={config.seed}/{TRIAL}"):
        if (TrialFolder(file.parent).trial or {}).get("id") == config.from_arm:
            return file.parent
    raise NotATrial(f"{path} uses the trial {config.from_arm}, which is not below {runs} any more")


def compare(old: TrialFolder, new: TrialFolder) -> Reproduction:
    """Compare two folders of one trial, row by row."""
    fields = _differing(_fingerprint(old), _fingerprint(new))
    old_rows = old.rows()
    new_rows = new.rows()
    for epoch in range(1, max(len(old_rows), len(new_rows)) + 1):
        before = _untimed(old_rows, epoch)
        after = _untimed(new_rows, epoch)
        if before != after:
            return Reproduction(len(old_rows), epoch, _differing(before, after), fields)
    return Reproduction(len(old_rows), None, [], fields)


def _differing(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """Sorted names of what differs."""
    every = sorted({*first, *second})
    return [name for name in every if first.get(name) != second.get(name)]


def _untimed(rows: list[dict[str, Any]], epoch: int) -> dict[str, Any]:
    """An epoch's row (epochs count from 1) without its seconds, as JSON keeps it; empty if none."""
    if epoch > len(rows):
        return {}
    row = {name: value for name, value in rows[epoch - 1].items() if not name.startswith("time/")}
    kept: dict[str, Any] = json.loads(json.dumps(row))
    return kept
