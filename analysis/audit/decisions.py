"""What reviewers decided about labels: `decisions.csv`, a line for each decision, only appended to.

A decision is about what an image shows, so it holds for every arm, seed and study of the same data.
"""

import csv
import difflib
import fcntl
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, cast, get_args

from trainable.storage.spreadsheets import escaped, unescaped

COLUMNS = ("time", "reviewer", "data", "image", "decision", "label")
Kind = Literal["label", "unusable", "unsure", "undo"]
"""`label`: the image shows this class; `unusable`: it shows none; `undo` takes the reviewer's last
decision about the image back."""
SHOWN = 5


class BadDecisions(Exception):
    """A file of decisions has faults; the message names the lines."""


@dataclass(frozen=True)
class Decision:
    """One decision of one reviewer.

    Attributes:
        time: UTC, as `2026-11-30T01:20:00Z`.
        reviewer: who decided.
        data: hash of the data set.
        image: file name, or row of the data set.
        decision: what was decided.
        label: name of the class, for the decision `label`; else empty.
    """

    time: str
    reviewer: str
    data: str
    image: str
    decision: Kind
    label: str = ""


@dataclass(frozen=True)
class Labels:
    """What decisions may name.

    Attributes:
        data: hash of the data set.
        rows: image → row of the data set.
        classes: names of the classes.
    """

    data: str
    rows: Mapping[str, int]
    classes: Sequence[str]


Outcome = Literal["label", "unusable", "unsure", "disputed"]


@dataclass(frozen=True)
class Settled:
    """What all reviewers together say of an image; `label` is a class for the outcome `label`."""

    outcome: Outcome
    label: int | None = None
    reviewers: tuple[str, ...] = ()


def append(path: Path, *decisions: Decision) -> None:
    """Append decisions; they are on the disk when this returns. Processes wait for each other."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        _cut_unfinished_line(file)
        if file.tell() == 0:
            writer.writerow(COLUMNS)
        for decision in decisions:
            writer.writerow([escaped(getattr(decision, column)) for column in COLUMNS])
        file.write(text.getvalue().encode())
        file.flush()
        os.fsync(file.fileno())


def _cut_unfinished_line(file: io.BufferedRandom) -> None:
    """Remove a last line that a killed process has not finished; it was never confirmed."""
    end = file.seek(0, os.SEEK_END)
    start = max(0, end - 65536)
    file.seek(start)
    tail = file.read()
    if tail and not tail.endswith(b"\n"):
        file.truncate(start + tail.rfind(b"\n") + 1)
    file.seek(0, os.SEEK_END)


def read(path: Path, labels: Labels) -> list[Decision]:
    """Return all decisions in a file; those that were taken back are left out.

    Raises:
        BadDecisions: the file cannot be read, or lines name other data, unknown images or classes,
            or one reviewer decided twice, differently. Nothing of such a file is used.
    """
    try:
        content = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise BadDecisions(f"{path} cannot be read: {error}") from None
    if content and not content.endswith("\n"):
        content = content[: content.rfind("\n") + 1]
    try:
        lines = list(csv.reader(io.StringIO(content, newline="")))
    except csv.Error as error:
        raise BadDecisions(f"{path} is not a table: {error}") from None
    if not lines:
        return []
    if tuple(lines[0]) != COLUMNS:
        raise BadDecisions(f"{path}: line 1 is {','.join(lines[0])}, not {','.join(COLUMNS)}")
    standing: dict[tuple[str, str], list[tuple[int, Decision]]] = {}
    problems = []
    for number, line in enumerate(lines[1:], 2):
        if not line:
            continue
        found = _decision([unescaped(cell) for cell in line], labels)
        if isinstance(found, str):
            problems.append(f"line {number}: {found}")
            continue
        history = standing.setdefault((found.reviewer, found.image), [])
        if found.decision == "undo":
            history[-1:] = []
        else:
            history.append((number, found))
    for (reviewer, image), history in standing.items():
        if len({(decision.decision, decision.label) for _, decision in history}) > 1:
            where = " and ".join(str(number) for number, _ in history)
            problems.append(f"lines {where}: {reviewer} decided differently about {image}")
    if problems:
        raise BadDecisions(_listed(path, problems))
    return [history[-1][1] for history in standing.values() if history]


def add(path: Path, new: Iterable[Decision], labels: Labels, source: Path) -> int:
    """Append decisions that were made elsewhere; return how many were not there yet.

    Args:
        path: the file of decisions.
        new: the decisions.
        labels: what they may name.
        source: the file that they are from, for messages.

    Raises:
        BadDecisions: one is about an unknown image or class, or its reviewer decided differently
            before; none is appended then.
    """
    there: dict[tuple[str, str], Decision] = {}
    if path.exists():
        there = {(said.reviewer, said.image): said for said in read(path, labels)}
    problems = []
    fresh = []
    for number, decision in enumerate(new, 1):
        values = [getattr(decision, column) for column in COLUMNS]
        checked = _decision(values, labels)
        if isinstance(checked, str):
            problems.append(f"decision {number}: {checked}")
            continue
        before = there.setdefault((decision.reviewer, decision.image), decision)
        if before is decision:
            fresh.append(decision)
        elif (before.decision, before.label) != (decision.decision, decision.label):
            problems.append(
                f"decision {number}: {decision.reviewer} decided differently about "
                f"{decision.image} ({before.label or before.decision}, now "
                f"{decision.label or decision.decision})"
            )
    if problems:
        raise BadDecisions(_listed(source, problems))
    if fresh:
        append(path, *fresh)
    return len(fresh)


def _listed(path: Path, problems: list[str]) -> str:
    """Return the first problems, and how many more there are."""
    more = f"\n… and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
    return f"{path}: " + "\n".join(problems[:SHOWN]) + more


def _decision(line: list[str], labels: Labels) -> Decision | str:
    """Return the decision of a line, or what is wrong with it."""
    if len(line) != len(COLUMNS):
        return f"it has {len(line)} cells, not {len(COLUMNS)}"
    time, reviewer, data, image, decision, label = line
    if decision not in get_args(Kind):
        return f"`{decision}` is none of {', '.join(get_args(Kind))}"
    kind = cast(Kind, decision)
    if data != labels.data:
        return f"it is about other data ({data}; these are {labels.data})"
    if image not in labels.rows:
        return f"image {image} is not in the data"
    if kind == "label" and label not in labels.classes:
        close = difflib.get_close_matches(label, labels.classes, 1)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"class {label} does not exist{hint}"
    return Decision(time, reviewer, data, image, kind, label)


def settle(decisions: Iterable[Decision], labels: Labels) -> dict[int, Settled]:
    """Return what all reviewers together say: row of the data set → outcome.

    The majority decides; a tie is disputed. `unsure` counts only if every reviewer is.
    """
    by_row: dict[int, dict[str, Decision]] = {}
    for decision in decisions:
        by_row.setdefault(labels.rows[decision.image], {})[decision.reviewer] = decision
    number = {name: place for place, name in enumerate(labels.classes)}
    return {row: _majority(list(said.values()), number) for row, said in by_row.items()}


def _majority(said: list[Decision], number: Mapping[str, int]) -> Settled:
    """Return the outcome for one image."""
    reviewers = tuple(decision.reviewer for decision in said)
    sure = [decision for decision in said if decision.decision != "unsure"]
    votes: dict[tuple[str, str], int] = {}
    for decision in sure:
        answer = (decision.decision, decision.label)
        votes[answer] = votes.get(answer, 0) + 1
    if not votes:
        return Settled("unsure", None, reviewers)
    most = max(votes.values())
    first, *others = [answer for answer, count in votes.items() if count == most]
    if others:
        return Settled("disputed", None, reviewers)
    kind, label = first
    if kind == "unusable":
        return Settled("unusable", None, reviewers)
    return Settled("label", number[label], reviewers)


def undone(decision: Decision, time: str) -> Decision:
    """Return the line that takes a decision back."""
    return replace(decision, time=time, decision="undo", label="")
