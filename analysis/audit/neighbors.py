"""Votes of the nearest neighbours in feature space for the given labels.

It is the voting of SimiFeat (Zhu, Dong and Liu, "Detecting Corrupted Labels Without Training a
Model to Predict", ICML 2022, arXiv 2110.06283): where features suit the classes, the neighbours of
a sample have its true class, and wrong labels are outvoted. Nothing is trained.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

NEIGHBORS = 20
"""Number of neighbours that vote. The paper has 10; on seed 0 of `benchmarks/audit_embeddings.py`
20 order better on each of fifteen cells."""
REFERENCES = 20_000
"""Largest number of samples among which neighbours are looked for."""
SIMILARITIES = 25_000_000
"""Largest number of similarities in memory at once, 100 MB."""

Load = Callable[[np.ndarray], np.ndarray]
"""Returns the features (batch, width) of the samples at rows (batch,) of the data set."""


class Neighbors:
    """Votes of the samples nearest to each sample, for any labels of the samples.

    The neighbours do not depend on labels: they are looked for at the first vote, and again only
    for other samples.

    Args:
        load: features by row; they are read in batches, and only the neighbours are kept.
        count: number of samples that vote; all others do if there are fewer.
    """

    def __init__(self, load: Load, count: int = NEIGHBORS):
        self._load = load
        self._count = count
        self._nearest: _Nearest | None = None

    def margins(self, given: pd.Series, classes: int) -> pd.Series:
        """Return the votes for each given label less those for the most voted other class.

        The neighbours of the largest cosine similarity have a vote of that similarity each; the
        sample itself has none. Votes are divided by their sum, so the result is −1 to 1. Features
        are centred first. Of more than `REFERENCES` samples, that many vote, drawn at random and
        the same for every audit of the data.

        Args:
            given: given class by row of the data set, of all samples.
            classes: number of classes.
        """
        rows = given.index.to_numpy()
        if self._nearest is None or not np.array_equal(self._nearest.rows, rows):
            self._nearest = _nearest(self._load, rows, self._count)
        return pd.Series(self._nearest.margins(given.to_numpy(), classes), given.index)


@dataclass(frozen=True)
class _Nearest:
    """The k nearest neighbours of n samples.

    Attributes:
        rows: (n,) rows of the samples in the data set.
        places: (n, k) positions of the neighbours in `rows`.
        weights: (n, k) float32, their votes.
    """

    rows: np.ndarray
    places: np.ndarray
    weights: np.ndarray

    def margins(self, labels: np.ndarray, classes: int) -> np.ndarray:
        """Return the margin of the votes for labels (n,), −1 to 1, (n,) float32."""
        margins = np.empty(len(labels), np.float32)
        step = max(1, SIMILARITIES // classes)
        for start in range(0, len(labels), step):
            batch = slice(start, start + step)
            votes = _votes(labels[self.places[batch]], self.weights[batch], classes)
            margins[batch] = _margins(votes, labels[batch])
        return margins


def _nearest(load: Load, rows: np.ndarray, count: int) -> _Nearest:
    """Look for the `count` neighbours of the samples at `rows` (n,), among the voters."""
    voters = np.arange(len(rows))
    if len(rows) > REFERENCES:
        drawn = np.random.default_rng(0).choice(len(rows), REFERENCES, replace=False)
        voters = np.sort(drawn)
    count = min(count, len(voters) - 1)
    references = load(rows[voters]).astype(np.float32)
    centre = references.mean(axis=0)
    references = _unit(references - centre)
    # Position of a sample among the voters; −1: it is none of them.
    place = np.full(len(rows), -1)
    place[voters] = np.arange(len(voters))
    places = np.empty((len(rows), count), np.int32)
    weights = np.empty((len(rows), count), np.float32)
    step = max(1, SIMILARITIES // len(voters))
    for start in range(0, len(rows), step):
        batch = slice(start, start + step)
        vectors = _unit(load(rows[batch]).astype(np.float32) - centre)
        similarity = vectors @ references.T
        own = place[batch]
        votes_itself = np.flatnonzero(own >= 0)
        similarity[votes_itself, own[votes_itself]] = -np.inf
        found = np.argpartition(similarity, -count, axis=1)[:, -count:]
        places[batch] = voters[found]
        # A neighbour at a right angle or beyond has hardly a vote, and the sum of votes is not 0.
        weights[batch] = np.maximum(np.take_along_axis(similarity, found, axis=1), 1e-6)
    return _Nearest(rows, places, weights)


def _votes(labels: np.ndarray, weights: np.ndarray, classes: int) -> np.ndarray:
    """Return the share of votes for each class, (batch, classes), of neighbours (batch, k)."""
    votes = np.zeros((len(labels), classes), np.float32)
    np.add.at(votes, (np.arange(len(labels))[:, None], labels), weights)
    share: np.ndarray = votes / votes.sum(axis=1, keepdims=True)
    return share


def _margins(votes: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the votes for `labels` (batch,) less the most votes for another class."""
    row = np.arange(len(votes))
    own = votes[row, labels]
    others = votes.copy()
    others[row, labels] = -np.inf
    margin: np.ndarray = own - others.max(axis=1)
    return margin


def _unit(vectors: np.ndarray) -> np.ndarray:
    """Return vectors (batch, width) of length 1; those of length 0 stay so."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    found: np.ndarray = vectors / np.maximum(length, 1e-12)
    return found
