"""Which test images are checked, `audit/test/DATA/draw.json`, and what the checks found.

The draw is one random order of all test images. It follows from the hash of the data, DATA, and is
kept on disk when the first review begins. A sample of N images is the first N of it, so that a
larger sample contains a smaller one. The decisions are in `decisions.csv` in the same folder, and
hold for all settings and arms with these data.
"""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.audit.decisions import BadDecisions, Labels, Settled, read, settle
from analysis.stats.checked_labels import NO_CLASS, CheckedLabels
from trainable.storage.names import AUDIT

FOLDER = "test"
DRAW = "draw.json"
DECISIONS = "decisions.csv"


@dataclass(frozen=True)
class Draw:
    """All test images in a random order.

    Attributes:
        data: hash of the data set.
        classes: names of the classes.
        rows: (N,) positions in the test set.
        images: (N,) their names.
        given: (N,) their labels, as numbers of classes.
        sample: number of images that are to be checked, the first ones.
    """

    data: str
    classes: list[str]
    rows: list[int]
    images: list[str]
    given: list[int]
    sample: int

    @property
    def labels(self) -> Labels:
        """What decisions about test images may name."""
        return Labels(self.data, dict(zip(self.images, self.rows, strict=True)), self.classes)


@dataclass(frozen=True)
class Checks:
    """What the checks found, as far as it may be used.

    Attributes:
        labels: the labels of the checked images.
        wrong: number of labels that were wrong.
        unclear: number of checked images that show no class, or are unsure or disputed.
        waiting: number of decided images that are not used, because one before them is undecided.
        drawn: number of images that are to be checked.
    """

    labels: CheckedLabels
    wrong: int
    unclear: int
    waiting: int
    drawn: int

    @property
    def complete(self) -> bool:
        """Whether all images that are to be checked have been."""
        return len(self.labels.rows) >= self.drawn

    def sentence(self) -> str:
        """Say how many images are checked, and which of them are special."""
        count = len(self.labels.rows)
        text = f"{count} of {self.drawn} drawn test images are checked, {self.wrong} labels wrong"
        if self.unclear:
            text += (
                f"; {self.unclear} of them show no class for certain, and count as wrong for every "
                "arm"
            )
        if self.waiting:
            text += (
                f"; {self.waiting} more are decided, and count once those before them in the draw "
                "are"
            )
        return text


def folder_of(root: Path, data: str) -> Path:
    """Return the folder of the draw and of the decisions about the test images of a data set."""
    return root / AUDIT / FOLDER / data


def order_of(data: str, images: int) -> np.ndarray:
    """Return the random order (images,) of the test images of a data set."""
    digest = hashlib.sha256(f"test labels {data}".encode()).digest()
    rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
    return rng.permutation(images)


def write_draw(draw: Draw, path: Path) -> None:
    """Write a draw; the file is complete or as it was."""
    content = {name: getattr(draw, name) for name in Draw.__dataclass_fields__}
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    temporary.write_text(json.dumps(content), encoding="utf-8")
    temporary.replace(path)


def read_draw(path: Path) -> Draw:
    """Read a draw.

    Raises:
        BadDecisions: the file is damaged.
    """
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        draw = Draw(**{name: content[name] for name in Draw.__dataclass_fields__})
        count = len(draw.rows)
        if not len(set(draw.images)) == len(draw.given) == count >= draw.sample > 0:
            raise ValueError
        if not np.array_equal(order_of(draw.data, count), draw.rows):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError):
        raise BadDecisions(
            f"{path} is damaged. Delete it: `audit --split test` draws the same images again, and "
            "decisions are kept"
        ) from None
    return draw


def read_checks(root: Path, data: str, unchecked: np.ndarray) -> Checks | None:
    """Return what the checks of the test labels of a data set found; None: none is checked.

    The images up to the first undecided one of the draw are used. Others may have been left out for
    a reason, and would make the sample less random.

    Args:
        root: the study's results.
        data: hash of the data of the trials.
        unchecked: (N,) their test labels.

    Raises:
        BadDecisions: the files are damaged, or about other test images than those of the trials.
    """
    folder = folder_of(root, data)
    file = folder / DECISIONS
    if not data.isalnum() or not file.exists():  # the hash is from a file that may be a stranger's
        return None
    draw = read_draw(folder / DRAW)
    rows = np.array(draw.rows)
    same = draw.data == data and len(rows) == len(unchecked)
    if not same or not np.array_equal(unchecked[rows], draw.given):
        raise BadDecisions(
            f"{folder}: the decisions are about other test images than those of the trials; move "
            "the folder away to check these"
        )
    settled = settle(read(file, draw.labels), draw.labels)
    undecided = [place for place, row in enumerate(draw.rows) if row not in settled]
    used = rows[: undecided[0] if undecided else len(rows)]
    if not len(used):
        return None
    found = np.array([_class(settled[row]) for row in used.tolist()])
    outcomes = Counter(settled[row].outcome for row in used.tolist())
    return Checks(
        labels=CheckedLabels(unchecked, used, found),
        wrong=int(np.count_nonzero((found != unchecked[used]) & (found != NO_CLASS))),
        unclear=len(used) - outcomes["label"],
        waiting=len(settled) - len(used),
        drawn=draw.sample,
    )


def _class(found: Settled) -> int:
    """Return the class that reviewers found; `NO_CLASS` if they found none for certain."""
    return NO_CLASS if found.label is None else found.label
