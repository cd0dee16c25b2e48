"""What reviewers decided about labels: `decisions.csv`, a line for each decision, only appended to.

A decision is about what an image shows, so it holds for every arm, seed and study of the same data.
"""

import csv
import difflib
import fcntl
import io
import os
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
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

    @cached_property
    def numbers(self) -> Mapping[str, int]:
        """Name of each class → its number."""
        return {name: number for number, name in enumerate(self.classes)}


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


class DecisionFile:
    """The decisions in a file, followed while it grows.

    Args:
        path: the file.
        labels: what its decisions may name.
    """

    def __init__(self, path: Path, labels: Labels):
        self._path = path
        self._labels = labels
        self._forget()

    def _forget(self) -> None:
        self._content = b""
        self._lines = 0
        # Image → reviewer → decisions that were not taken back, with their lines.
        self._standing: dict[str, dict[str, list[tuple[int, Decision]]]] = {}

    def refresh(self) -> set[str]:
        """Read what is new; return the images of which something else is said now.

        Raises:
            BadDecisions: the file cannot be read, or lines name other data, unknown images or
                classes, or one reviewer decided twice, differently. Nothing of such a file is used.
        """
        try:
            content = self._path.read_bytes()
        except OSError as error:
            raise BadDecisions(f"{self._path} cannot be read: {error}") from None
        # The last line may be unfinished. A file of one such line is the beginning of a header.
        finished = content.rfind(b"\n") + 1
        if not finished and not ",".join(COLUMNS).encode().startswith(content):
            raise BadDecisions(f"{self._path}: line 1 is not {','.join(COLUMNS)}")
        content = content[:finished]
        forgotten: set[str] = set()
        if not content.startswith(self._content):
            forgotten = set(self._standing)
            self._forget()
        try:
            new = self._lines_of(content[len(self._content) :])
            images = self._heed(new)
        except BadDecisions:
            self._forget()
            raise
        self._content = content
        return images | forgotten

    def _lines_of(self, content: bytes) -> list[list[str]]:
        """Return the cells of new lines, without the header. Raises BadDecisions."""
        try:
            text = content.decode("utf-8-sig")
            lines = list(csv.reader(io.StringIO(text, newline="")))
        except UnicodeDecodeError as error:
            raise BadDecisions(f"{self._path} cannot be read: {error}") from None
        except csv.Error as error:
            raise BadDecisions(f"{self._path} is not a table: {error}") from None
        if self._lines or not lines:
            return lines
        header = lines[0]
        if tuple(header) != COLUMNS:
            raise BadDecisions(
                f"{self._path}: line 1 is {','.join(header)}, not {','.join(COLUMNS)}"
            )
        self._lines = 1
        return lines[1:]

    def _heed(self, lines: list[list[str]]) -> set[str]:
        """Add the decisions of lines; return their images. Raises BadDecisions."""
        problems = []
        touched: dict[tuple[str, str], None] = {}
        for line in lines:
            self._lines += 1
            if not line:
                continue
            found = _decision([unescaped(cell) for cell in line], self._labels)
            if isinstance(found, str):
                problems.append(f"line {self._lines}: {found}")
                continue
            said = self._standing.setdefault(found.image, {})
            history = said.setdefault(found.reviewer, [])
            if found.decision == "undo":
                history[-1:] = []
            else:
                history.append((self._lines, found))
            touched[found.image, found.reviewer] = None
        for image, reviewer in touched:
            history = self._standing[image][reviewer]
            if len({(decision.decision, decision.label) for _, decision in history}) > 1:
                where = " and ".join(str(number) for number, _ in history)
                problems.append(f"lines {where}: {reviewer} decided differently about {image}")
        if problems:
            raise BadDecisions(_listed(self._path, problems))
        return {image for image, _ in touched}

    def about(self, image: str) -> dict[str, Decision]:
        """Return what is said about an image: reviewer → decision."""
        said = self._standing.get(image, {})
        return {reviewer: history[-1][1] for reviewer, history in said.items() if history}

    def decisions(self) -> list[Decision]:
        """Return all decisions that were not taken back."""
        return [decision for image in self._standing for decision in self.about(image).values()]


def read(path: Path, labels: Labels) -> list[Decision]:
    """Return all decisions in a file; those that were taken back are left out.

    Raises:
        BadDecisions: the file has faults; see `DecisionFile.refresh`.
    """
    file = DecisionFile(path, labels)
    file.refresh()
    return file.decisions()


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
    if kind == "label" and label not in labels.numbers:
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
    return {row: majority(said.values(), labels) for row, said in by_row.items()}


def majority(said: Collection[Decision], labels: Labels) -> Settled:
    """Return what reviewers say together of one image, from a decision of each."""
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
    return Settled("label", labels.numbers[label], reviewers)


def undone(decision: Decision, time: str) -> Decision:
    """Return the line that takes a decision back."""
    return replace(decision, time=time, decision="undo", label="")
