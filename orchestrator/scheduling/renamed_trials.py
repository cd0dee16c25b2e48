"""Completed trials that the study has under another name now: they are moved, not trained again."""

import re
from collections.abc import Iterator, Mapping, Sequence

from analysis.results.study_plan import TrialRecord
from analysis.results.trial_files import Files, TrialFiles
from orchestrator.results.store import MOVING

Moves = Mapping[str, str]
"""Old name → new name."""


def held(files: Files, name: str) -> TrialFiles:
    """Return the contents of a trial's folder; they are empty if it does not exist."""
    return files.get(name, TrialFiles())


def renamed(records: Sequence[TrialRecord], files: Files) -> dict[str, str]:
    """Return completed trials on disk that the study now has under another name: old → new name.

    A trial is not moved if its new folder holds another trial that is not moved.
    """
    misplaced = _misplaced(records, files)
    moves = {}
    for record in records:
        in_place = held(files, record.name).id == record.id
        if record.id in misplaced and not in_place:
            moves[misplaced[record.id]] = record.name
    taken = _moves_to_taken_places(moves, files)
    while taken:
        for old in taken:
            del moves[old]
        taken = _moves_to_taken_places(moves, files)
    return moves


def _misplaced(records: Sequence[TrialRecord], files: Files) -> dict[str | None, str]:
    """Return id → name of completed trials on disk that the study does not have at that name."""
    planned = {record.name: record.id for record in records}
    misplaced = {}
    for name, content in files.items():
        if content.summary is not None and planned.get(name) != content.id:
            misplaced[content.id] = name
    return misplaced


def _moves_to_taken_places(moves: Moves, files: Files) -> list[str]:
    """Return the old names of trials whose new folder holds a trial that does not move."""
    taken = []
    for old, new in moves.items():
        if new not in moves and held(files, new).exists:
            taken.append(old)
    return taken


def moved(files: Files, moves: Moves) -> dict[str, TrialFiles]:
    """Return the contents of the folders after the moves."""
    after = {name: content for name, content in files.items() if name not in moves}
    for old, new in moves.items():
        after[new] = files[old]
    return after


def move_sentences(moves: Moves) -> Iterator[str]:
    """Yield a sentence for each renamed trial."""
    for old, new in moves.items():
        passage = rf"^{re.escape(MOVING)}/[^/]*/"
        before = re.sub(passage, "", old)
        yield f"moved {before} to {new}: the same trial under its new name"
