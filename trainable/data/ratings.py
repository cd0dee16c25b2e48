"""Labels by several annotators: one label is taken per image; how often annotators agree."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from trainable.errors import DataError

NONE = -1
"""Label of an image that an annotator has not labeled."""


@dataclass(frozen=True)
class Ratings:
    """Labels by several annotators.

    Attributes:
        labels: (n, annotators) int64, classes; −1: the annotator has not labeled the image.
        annotators: their names.
    """

    labels: np.ndarray
    annotators: tuple[str, ...]

    def only(self, rows: np.ndarray) -> "Ratings":
        """Return only the images at `rows` (m,)."""
        return Ratings(self.labels[rows], self.annotators)

    def chosen(
        self, choice: Literal["majority", "first", "random"], rng: np.random.Generator
    ) -> np.ndarray:
        """Return one label (n,) per image; each image must have at least one.

        Args:
            choice: the most frequent label, a random one of equally frequent; the label of the
                first annotator who has labeled the image; that of a random one.
            rng: generator of random choices.
        """
        rated = self.labels != NONE
        match choice:
            case "majority":
                candidates = rated & self._most_frequent(rated)
            case "first":
                candidates = rated & (rated.cumsum(1) == 1)
            case "random":
                candidates = rated
        # Equally frequent labels have equally many candidates.
        drawn = np.where(candidates, rng.random(self.labels.shape), -1).argmax(1)
        labels: np.ndarray = self.labels[np.arange(len(self.labels)), drawn]
        return labels

    def _most_frequent(self, rated: np.ndarray) -> np.ndarray:
        """Return whether each label (n, annotators) is as frequent as any other of its image."""
        votes = np.zeros(self.labels.shape, np.int64)
        for column in range(self.labels.shape[1]):
            votes += self.labels == self.labels[:, [column]]
        votes[~rated] = 0
        frequent: np.ndarray = votes == votes.max(1, keepdims=True)
        return frequent

    @property
    def agreement(self) -> float | None:
        """Share of pairs of labels of the same image that are equal; None: there are no pairs."""
        pairs = 0
        equal = 0
        for column in range(1, self.labels.shape[1]):
            own = self.labels[:, [column]]
            others = self.labels[:, :column]
            both = (own != NONE) & (others != NONE)
            pairs += int(both.sum())
            equal += int((both & (own == others)).sum())
        return equal / pairs if pairs else None

    def wrong(self, true: np.ndarray) -> dict[str, float | None]:
        """Return the share of wrong labels of each annotator; None: they have labeled no image.

        Args:
            true: (n,) true classes.
        """
        shares: dict[str, float | None] = {}
        for annotator, labels in zip(self.annotators, self.labels.T, strict=True):
            rated = labels != NONE
            shares[annotator] = None
            if rated.any():
                shares[annotator] = float((labels[rated] != true[rated]).mean())
        return shares


def simulated(
    true: np.ndarray, classes: int, skills: list[float], rng: np.random.Generator
) -> Ratings:
    """Simulate annotators who label all images independently of each other.

    Args:
        true: (n,) true classes; −1: unknown.
        classes: number of classes.
        skills: share of right labels of each annotator; wrong ones are a random other class.
        rng: generator of the labels.

    Raises:
        DataError: true classes are unknown.
    """
    if (true < 0).any():
        raise DataError(
            "noise.skills: simulated annotators need the true labels, and those of the data are "
            "unknown. Name a file of labels with noise.path"
        )
    wrong = rng.random((len(true), len(skills))) >= np.array(skills)
    steps = rng.integers(1, classes, wrong.shape)
    labels = (true[:, None] + wrong * steps) % classes
    return Ratings(labels, numbered(len(skills)))


def numbered(count: int) -> tuple[str, ...]:
    """Return names of annotators who have none: `1`, `2`, …"""
    return tuple(str(number) for number in range(1, count + 1))
