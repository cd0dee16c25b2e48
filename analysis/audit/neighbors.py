"""Votes of the nearest neighbours in feature space for the given labels.

It is the voting of SimiFeat (Zhu, Dong and Liu, "Detecting Corrupted Labels Without Training a
Model to Predict", ICML 2022, arXiv 2110.06283): where features suit the classes, the neighbours of
a sample have its true class, and wrong labels are outvoted. Nothing is trained.
"""

from collections.abc import Callable

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


def neighbor_margins(
    load: Load, given: pd.Series, classes: int, neighbors: int = NEIGHBORS
) -> pd.Series:
    """Return the votes for each given label less those for the most voted other class.

    The `neighbors` samples of the largest cosine similarity have a vote of that similarity each;
    the sample itself has none. Votes are divided by their sum, so the result is −1 to 1. Features
    are centred first. Of more than `REFERENCES` samples, that many vote, drawn at random and the
    same for every audit of the data.

    Args:
        load: features by row; they are read in batches, and memory does not grow with the samples.
        given: given class by row, of all samples.
        classes: number of classes.
        neighbors: number of samples that vote; all others do if there are fewer.
    """
    rows = given.index.to_numpy()
    labels = given.to_numpy()
    voters = np.arange(len(rows))
    if len(rows) > REFERENCES:
        drawn = np.random.default_rng(0).choice(len(rows), REFERENCES, replace=False)
        voters = np.sort(drawn)
    references = load(rows[voters]).astype(np.float32)
    centre = references.mean(axis=0)
    references = _unit(references - centre)
    # Position of a sample among the voters; −1: it is none of them.
    place = np.full(len(rows), -1)
    place[voters] = np.arange(len(voters))
    margins = np.empty(len(rows), np.float32)
    step = max(1, SIMILARITIES // len(voters))
    for start in range(0, len(rows), step):
        batch = slice(start, start + step)
        vectors = _unit(load(rows[batch]).astype(np.float32) - centre)
        similarity = vectors @ references.T
        own = place[batch]
        votes_itself = np.flatnonzero(own >= 0)
        similarity[votes_itself, own[votes_itself]] = -np.inf
        votes = _votes(similarity, labels[voters], classes, neighbors)
        margins[batch] = _margins(votes, labels[batch])
    return pd.Series(margins, given.index)


def _votes(similarity: np.ndarray, labels: np.ndarray, classes: int, neighbors: int) -> np.ndarray:
    """Return the share of votes for each class, (batch, classes), from (batch, voters)."""
    count = min(neighbors, similarity.shape[1] - 1)
    nearest = np.argpartition(similarity, -count, axis=1)[:, -count:]
    # A neighbour at a right angle or beyond has hardly a vote, and the sum of votes is not 0.
    weight = np.maximum(np.take_along_axis(similarity, nearest, axis=1), 1e-6)
    votes = np.zeros((len(similarity), classes), np.float32)
    np.add.at(votes, (np.arange(len(similarity))[:, None], labels[nearest]), weight)
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
