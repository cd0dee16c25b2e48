"""Folds: each class evenly, copies together, by the seed alone."""

import numpy as np
import pytest

from trainable.data.folds import folds
from trainable.errors import DataError


def made(n: int = 1003, classes: int = 7, seed: int = 0, count: int = 5) -> tuple:
    """Labels, and the fold of each of n different images."""
    labels = np.random.default_rng(1).integers(0, classes, n)
    contents = np.random.default_rng(2).permutation(n).astype(np.uint64)
    return labels, folds(labels, contents, count, np.random.default_rng(seed))


def test_each_fold_has_its_share_of_every_class():
    labels, found = made()
    assert set(found) == set(range(5))
    sizes = np.bincount(found)
    assert sizes.max() - sizes.min() <= 1
    for label in range(7):
        counts = np.bincount(found[labels == label], minlength=5)
        assert counts.max() - counts.min() <= 1


def test_the_partition_is_random_and_of_its_generator():
    _, first = made(seed=0)
    _, again = made(seed=0)
    _, other = made(seed=1)
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
    assert np.corrcoef(first, np.arange(len(first)))[0, 1] == pytest.approx(0, abs=0.1)


def test_copies_are_in_one_fold_whatever_their_labels():
    labels = np.arange(60) % 3
    contents = np.repeat(np.arange(20, dtype=np.uint64), 3)
    found = folds(labels, contents, 4, np.random.default_rng(0)).reshape(20, 3)
    assert (found == found[:, :1]).all()
    assert np.bincount(found[:, 0]).tolist() == [5, 5, 5, 5]


def test_copies_do_not_make_folds_uneven():
    contents = np.concatenate([np.repeat(np.arange(40), 2), np.arange(40, 120)]).astype(np.uint64)
    found = folds(np.zeros(160, int), contents, 4, np.random.default_rng(0))
    assert np.bincount(found).tolist() == [40, 40, 40, 40]


def test_more_folds_than_different_images_are_refused():
    contents = np.array([1, 1, 2, 2], np.uint64)
    with pytest.raises(DataError, match=r"data\.folds: 3 folds .* there are 2"):
        folds(np.zeros(4, int), contents, 3, np.random.default_rng(0))
