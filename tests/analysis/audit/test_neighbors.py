"""Votes of neighbours: by hand, against scikit-learn, in chunks, and with a sample of voters."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from analysis.audit import neighbors
from analysis.audit.neighbors import Neighbors


def groups(samples=300, wrong=0.2, seed=0):
    """Features of three separate groups, given labels of which a share is wrong, and true labels."""
    rng = np.random.default_rng(seed)
    true = rng.integers(0, 3, samples)
    features = (5 * np.eye(3)[true] + rng.normal(0, 1, (samples, 3))).astype(np.float16)
    moved = rng.random(samples) < wrong
    given = np.where(moved, (true + 1) % 3, true)
    return features, pd.Series(given, np.arange(samples)), true


def test_wrong_labels_are_outvoted():
    features, given, true = groups()
    margins = Neighbors(lambda rows: features[rows]).margins(given, 3)
    right = given.to_numpy() == true
    assert roc_auc_score(~right, -margins) > 0.99
    assert margins.between(-1, 1).all()
    assert margins.index.equals(given.index)


def test_votes_are_those_of_scikit_learns_neighbours():
    features, given, _ = groups(80)
    margins = Neighbors(lambda rows: features[rows], 7).margins(given, 3)
    centred = features.astype(float) - features.astype(float).mean(0)
    search = NearestNeighbors(n_neighbors=8, metric="cosine").fit(centred)
    distance, found = search.kneighbors(centred)
    for row in range(80):
        others = found[row] != row
        weight = 1 - distance[row][others]
        votes = np.bincount(given.to_numpy()[found[row][others]], weight, minlength=3)
        votes /= votes.sum()
        own = votes[given[row]]
        assert margins[row] == pytest.approx(own - np.delete(votes, given[row]).max(), abs=1e-3)


def test_rows_are_those_of_the_data_set_and_chunks_do_not_matter(monkeypatch):
    features, given, _ = groups(200)
    whole = Neighbors(lambda rows: features[rows]).margins(given, 3)
    shuffled = np.random.default_rng(1).permutation(1000)[:200]
    far = np.zeros((1000, 3), np.float16)
    far[shuffled] = features
    monkeypatch.setattr(neighbors, "SIMILARITIES", 7 * 200)
    asked = []

    def load(rows):
        asked.append(len(rows))
        return far[rows]

    found = Neighbors(load).margins(pd.Series(given.to_numpy(), shuffled), 3)
    assert np.allclose(found.to_numpy(), whole.to_numpy(), atol=1e-6)
    assert max(asked[1:]) == 7


def test_of_many_samples_a_fixed_part_votes(monkeypatch):
    features, given, true = groups(400)
    monkeypatch.setattr(neighbors, "REFERENCES", 100)
    margins = Neighbors(lambda rows: features[rows]).margins(given, 3)
    assert margins.equals(Neighbors(lambda rows: features[rows]).margins(given, 3))
    right = given.to_numpy() == true
    assert roc_auc_score(~right, -margins) > 0.98


def test_few_samples_and_equal_features_are_no_error():
    same = np.ones((3, 2), np.float32)
    margins = Neighbors(lambda rows: same[rows]).margins(pd.Series([0, 0, 1]), 2)
    assert margins.notna().all()
    assert margins[2] == -1


def test_neighbours_are_looked_for_once_for_all_labels_of_the_same_samples():
    features, given, true = groups(100)
    asked = []

    def load(rows):
        asked.append(rows)
        return features[rows]

    voters = Neighbors(load)
    first = voters.margins(given, 3)
    searched = len(asked)
    second = voters.margins(pd.Series(true, given.index), 3)
    assert len(asked) == searched
    assert first.equals(Neighbors(load).margins(given, 3))
    assert second.equals(Neighbors(load).margins(pd.Series(true, given.index), 3))
    part = voters.margins(given[:50], 3)
    assert part.equals(Neighbors(load).margins(given[:50], 3)), "other samples"
