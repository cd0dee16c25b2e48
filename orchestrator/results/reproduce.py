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
    """What the second run showed: the first epoch and metrics that differ, and the fingerprint's differing fields."""

    epochs: int
    epoch: int | None
    metrics: list[str]
    fingerprint: list[str]

    def __str__(self) -> str:
        """`identical: all 30 rows, seconds aside`, or from where on what is different."""
        if self.identical:
            return f"identical: all {self.epochs} rows, seconds aside"
        shown = ", ".join(self.metrics[:6]) + (", …" if len(self.metrics) > 6 else "")
        return f"different from epoch {self.epoch} on: {shown}"

    @property
    def identical(self) -> bool:
        """Whether every row is the same, seconds aside."""
        return self.epoch is None


def reproduce(path: Path, machine: Machine, own_code: bool = False) -> Reproduction:
    """Run the trial of a folder again in a temporary one.

    The `source` of an own method or model is a program that came with the folder: it is run only with `own_code`.

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
            f"{path}/trial.json holds the code of an own method or model: read it, then add --own-code"
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
    sections = config.values() if isinstance(config, dict) else ()
    return any(isinstance(section, dict) and "source" in section for section in sections)


def _as_then(machine: Machine, old: TrialFolder) -> Machine:
    """This machine with the first run's number of threads, and on the CPU if that was: sums depend on both."""
    made = (old.trial or {}).get("fingerprint", {})
    device = "cpu" if str(made.get("device", "")).startswith("cpu") else machine.device
    return dataclasses.replace(machine, threads=made.get("threads", machine.threads), device=device)


def _source(path: Path, config: TrialConfig) -> Path | None:
    """Folder of the trial that this one used, wherever it is now among the study's. Raises NotATrial."""
    if config.from_arm is None:
        return None
    runs = next((parent for parent in path.resolve().parents if parent.name == RUNS), path)
    for file in runs.rglob(f"seed={config.seed}/{TRIAL}"):
        if (TrialFolder(file.parent).trial or {}).get("id") == config.from_arm:
            return file.parent
    raise NotATrial(f"{path} uses the trial {config.from_arm}, which is not below {runs} any more")


def compare(old: TrialFolder, new: TrialFolder) -> Reproduction:
    """Compare two folders of one trial, row by row."""
    before, after = (
        (old.trial or {}).get("fingerprint", {}),
        (new.trial or {}).get("fingerprint", {}),
    )
    fields = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    first, second = old.rows(), new.rows()
    for epoch in range(1, max(len(first), len(second)) + 1):
        a, b = (_untimed(rows[epoch - 1]) if epoch <= len(rows) else {} for rows in (first, second))
        if a != b:
            differing = sorted(name for name in {*a, *b} if a.get(name) != b.get(name))
            return Reproduction(len(first), epoch, differing, fields)
    return Reproduction(len(first), None, [], fields)


def _untimed(row: dict[str, Any]) -> dict[str, Any]:
    return json.loads(
        json.dumps({name: value for name, value in row.items() if not name.startswith("time/")})
    )
