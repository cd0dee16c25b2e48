"""Result of a trial: its summary and the files that belong to it, checked before they are used."""

from pathlib import Path
from typing import Any

from trainable.storage import names
from trainable.storage.checksums import FORMAT, Damaged, file_checksum, read_signed
from trainable.storage.plausibility import check_rows, check_summary
from trainable.storage.rows import read_rows, rows_checksum

FILES = "files"
"""Key of a summary: file name → checksum, of the files that belong to it."""
OF_RESULT = (names.METRICS_FILE, names.SAMPLES, names.MODEL, names.BEST_MODEL)
"""Files that belong to a summary."""
WEIGHTS = (names.MODEL, names.BEST_MODEL)
"""Files that are large and rarely read; bundles do not contain them."""


def files_of_result(folder: Path) -> dict[str, str]:
    """Return the checksum of each file that belongs to the summary of a trial."""
    present = [name for name in OF_RESULT if (folder / name).exists()]
    return {name: file_checksum(folder / name) for name in present}


def read_result(folder: Path, compulsory: bool = False) -> dict[str, Any] | None:
    """Return the summary of a trial after a check of the files that belong to it, without weights.

    Args:
        folder: the trial's folder.
        compulsory: whether all trials of the study have checksums; else `trial.json` says whether
            this one has.

    Returns:
        The summary; None: the trial is not done.

    Raises:
        Damaged: a file is missing or not as it was written.
    """
    if not (folder / names.SUMMARY).exists():
        return None
    compulsory = _has_checksums(folder, compulsory)
    summary = read_signed(folder / names.SUMMARY, compulsory)
    files = _files(summary)
    summary.pop(FILES, None)
    check_summary(summary)
    if not compulsory:
        check_rows(read_rows(folder), summary)
    elif names.METRICS_FILE in files and not (folder / names.METRICS_FILE).exists():
        raise Damaged(f"{names.METRICS_FILE} is missing")
    for name in (names.METRICS_FILE, names.SAMPLES):
        if name in files:
            _check_file(folder / name, files[name])
    return summary


def check_weights(folder: Path) -> None:
    """Raise Damaged if the weights of a completed trial are not as they were written."""
    try:
        files = _files(read_signed(folder / names.SUMMARY))
    except FileNotFoundError:
        return
    for name in WEIGHTS:
        if name in files:
            _check_file(folder / name, files[name])


def check_stopped(folder: Path, compulsory: bool = False) -> None:
    """Raise Damaged if a search stopped the trial, and its files are not as they were then."""
    if not (folder / names.STOPPED).exists():
        return
    compulsory = _has_checksums(folder, compulsory)
    stopped = read_signed(folder / names.STOPPED, compulsory)
    epoch = stopped.get("epoch")
    if not isinstance(epoch, int):
        raise Damaged(f"{names.STOPPED} has no epoch")
    if compulsory and stopped.get("rows") != rows_checksum(folder, epoch):
        raise Damaged(f"{names.METRICS_FILE} does not match its checksum")


def _has_checksums(folder: Path, compulsory: bool) -> bool:
    """Return whether a trial's files must have checksums. Raises Damaged."""
    try:
        trial = read_signed(folder / names.TRIAL, compulsory)
    except FileNotFoundError:
        raise Damaged(f"{names.TRIAL} is missing") from None
    if not isinstance(trial.get("id"), str):
        raise Damaged(f"{names.TRIAL} has no id")
    return compulsory or trial.get("format") == FORMAT


def _files(summary: dict[str, Any]) -> dict[str, str]:
    """Return the checksums of the files that belong to a summary. Raises Damaged."""
    files = summary.get(FILES, {})
    if not isinstance(files, dict):
        raise Damaged(f"{names.SUMMARY}: {FILES} is {files!r}, not the files' checksums")
    return files


def _check_file(path: Path, checksum: str) -> None:
    """Raise Damaged if a file is there and not as it was."""
    if path.exists() and file_checksum(path) != checksum:
        raise Damaged(f"{path.name} does not match its checksum")
