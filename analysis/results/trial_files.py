"""Contents of the trial folders of a study, which determine the trials' states.

It uses the standard library only.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.results.checked_index import CheckedIndex, Entry, digest
from analysis.results.study_plan import TrialRecord, has_checksums
from trainable.storage import names
from trainable.storage.checksums import Damaged, content_checksum
from trainable.storage.result import check_stopped, check_weights, read_result
from trainable.storage.trial_folder import TrialFolder

INDEXED = 50
"""Number of trials from which an index of checked ones is kept."""
DETERMINED_BY = {
    "data_hash": ("data",),
    "content_hash": ("data",),
    "noise_hash": ("data", "noise", "seed"),
}
"""Hash in a summary → parts of a configuration that determine it. Older trials lack the second."""
LARGE = "noise_transition"
"""Field of a summary that is left out: a number for every two classes."""


@dataclass(frozen=True)
class TrialFiles:
    """Contents of the small files of a trial's folder; None if a file cannot be read.

    Files that are irrelevant for the state are not read: a completed trial has neither failure nor
    owner. Thousands of trials are in memory at once: `trial` has digests in place of the
    configuration, see `without_config`, and `summary` lacks its large field.
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

    @property
    def determined(self) -> dict[str, str]:
        """Hash in the summary → digest of what determines it; empty if that is not known."""
        return (self.trial or {}).get("determined") or {}


Files = Mapping[str, TrialFiles]
"""Name of a trial → contents of its folder."""


def without_config(trial: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return the content of `trial.json` with `determined` in place of the configuration."""
    if trial is None:
        return None
    kept = {name: value for name, value in trial.items() if name != "config"}
    config = trial.get("config") or {}
    kept["determined"] = {}
    for name, parts in DETERMINED_BY.items():
        if all(part in config for part in parts):
            kept["determined"][name] = content_checksum([config[part] for part in parts])
    return kept


def read_files(folder: TrialFolder, checksums: bool = False) -> TrialFiles:
    """Read and check the files that determine a trial's state.

    Args:
        folder: the trial's folder.
        checksums: whether all trials of the study have checksums.
    """
    if not folder.path.exists():
        return TrialFiles()
    trial = without_config(folder.trial)
    try:
        summary = read_result(folder.path, checksums)
        if summary is None:
            check_stopped(folder.path, checksums)
    except Damaged as error:
        return TrialFiles(exists=True, trial=trial, damage=str(error))
    if summary is not None:
        summary.pop(LARGE, None)
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
    """Read and check the files of a trial only if they are not as they were then."""
    now = digest(runs / name, checksums)
    known = index.get(name, now)
    if known is not None:
        return TrialFiles(exists=True, trial=known.trial, summary=known.summary)
    found = read_files(TrialFolder(runs / name), checksums)
    if now is not None and found.summary is not None and found.trial is not None:
        index.add(name, Entry(now, found.trial, found.summary))
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
