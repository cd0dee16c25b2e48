"""What a results folder records of the study itself: the study file and its runs."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.results.study_plan import read_plan
from trainable.storage import names
from trainable.storage.checksums import Damaged, text_checksum, verified

RUN = {"time", "host", "command", "system", "cpus", "python", "versions", "git_revision"}
"""Fields that every run has."""


@dataclass(frozen=True)
class StudyRecord:
    """The study as it was last run, and all its runs.

    Attributes:
        text: the study file; "" if it cannot be read.
        runs: content of `provenance.json`: versions, git revision, host and command of each run.
        problems: sentences about what is damaged and therefore left out, or was changed.
    """

    text: str
    runs: list[dict[str, Any]]
    problems: list[str] = field(default_factory=list)


def read_record(root: Path) -> StudyRecord:
    """Read the study file and the runs of the study in `root`. Raises NoStudy."""
    plan = read_plan(root)
    text = _text(root / names.STUDY)
    problems = []
    if plan.study_checksum is not None and text_checksum(text) != plan.study_checksum:
        problems.append(f"{names.STUDY}: is not the study that was run; it is damaged or edited")
    entries = _entries(root / names.PROVENANCE)
    runs = list(_runs(entries, plan.checksums))
    if entries is None:
        problems.append(f"{names.PROVENANCE}: is damaged; no runs are shown")
    elif len(runs) < len(entries):
        problems.append(
            f"{names.PROVENANCE}: {len(entries) - len(runs)} of {len(entries)} runs are damaged, "
            "and left out"
        )
    return StudyRecord(text, runs, problems)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode(errors="replace")
    except OSError:
        return ""


def _entries(path: Path) -> list[Any] | None:
    """Return the runs of a file, right or wrong; none if there is no file, None if no list."""
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, list) else None


def _runs(entries: list[Any] | None, checksums: bool) -> Iterator[dict[str, Any]]:
    """Yield the runs that are as they were written."""
    for entry in entries or []:
        if isinstance(entry, dict) and entry.keys() >= RUN:
            try:
                yield verified(entry, names.PROVENANCE, compulsory=checksums)
            except Damaged:
                continue
