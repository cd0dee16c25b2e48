"""Contents of the trial folders of a study, which determine the trials' states.

It uses the standard library only.
"""

import contextlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.results.checked_index import CheckedIndex, digest
from analysis.results.study_plan import TrialRecord, has_checksums
from trainable.storage import names
from trainable.storage.checksums import Damaged
from trainable.storage.result import (
    check_stopped,
    check_weights,
    read_checked,
    read_result,
)
from trainable.storage.trial_folder import TrialFolder

INDEXED = 50
"""Number of trials from which an index of checked ones is kept."""


@dataclass(frozen=True)
class TrialFiles:
    """Contents of the small files of a trial's folder; None if a file cannot be read.

    Files that are irrelevant for the state are not read: a completed trial has neither failure nor
    owner.
    """

    exists: bool = False
    trial: dict[str, Any] | None = None
    summary: dict[str, Any] | None = None
    stopped: dict[str, Any] | None = None
    failure: dict[str, Any] | None = None
    owner: dict[str, Any] | None = None
    has_checkpoint: bool = False
    damage: str | None = None
    """Which file of a result is not as it was written; there is no summary then."""

    @property
    def id(self) -> str | None:
        """Id of the trial in this folder."""
        return (self.trial or {}).get("id")

    @property
    def schema(self) -> int | None:
        """Schema number of the program that ran it; early programs wrote none."""
        return (self.trial or {}).get("schema")

    @property
    def code(self) -> str | None:
        """Hash of the code that ran it."""
        about = self.trial or {}
        fingerprint = about.get("fingerprint") or {}
        return fingerprint.get("code")


def read_files(folder: TrialFolder, checksums: bool = False) -> TrialFiles:
    """Read and check the files that determine a trial's state.

    Args:
        folder: the trial's folder.
        checksums: whether all trials of the study have checksums.
    """
    if not folder.path.exists():
        return TrialFiles()
    trial = folder.trial
    try:
        summary = read_result(folder.path, checksums)
        if summary is None:
            check_stopped(folder.path, checksums)
    except Damaged as error:
        return TrialFiles(exists=True, trial=trial, damage=str(error))
    if summary is not None:
        return TrialFiles(exists=True, trial=trial, summary=summary)
    return TrialFiles(
        exists=True,
        trial=trial,
        stopped=folder.stopped,
        failure=folder.failure,
        owner=folder.owner,
        has_checkpoint=folder.has_checkpoint,
    )


def _read_by_index(index: CheckedIndex, runs: Path, name: str, checksums: bool) -> TrialFiles:
    """Read the files of a trial, and check them only if they are not as they were then."""
    folder = TrialFolder(runs / name)
    now = digest(folder.path, checksums)
    if index.knows(name, now):
        with contextlib.suppress(OSError, ValueError):
            trial, summary = read_checked(folder.path)
            return TrialFiles(exists=True, trial=trial, summary=summary)
    found = read_files(folder, checksums)
    if found.summary is not None and found.trial is not None:
        index.add(name, now)
    return found


def read_folders(
    root: Path,
    records: Iterable[TrialRecord],
    others: Iterable[str] = (),
    indexed: bool = True,
) -> dict[str, TrialFiles]:
    """Read the folders of the study in `root`.

    The weights of a completed trial are checked if a planned trial that has not ended needs them.

    Args:
        root: the study's folder.
        records: the planned trials.
        others: names of further folders below `runs/`.
        indexed: whether files that were found whole, and have not changed, are not checked again.

    Returns:
        name → contents.
    """
    records = list(records)
    runs = root / names.RUNS
    checksums = has_checksums(root)
    files = {}
    every = dict.fromkeys([*(record.name for record in records), *others])
    index = CheckedIndex(root) if indexed and len(every) >= INDEXED else None
    for name in every:
        if index is None:
            files[name] = read_files(TrialFolder(runs / name), checksums)
        else:
            files[name] = _read_by_index(index, runs, name, checksums)
    if index is not None:
        index.save()
    for record in records:
        source = record.source
        if source not in files or files[source].summary is None:
            continue
        if files[record.name].summary is None:
            try:
                check_weights(runs / source)
            except Damaged as error:
                files[source] = TrialFiles(True, files[source].trial, damage=str(error))
    return files
