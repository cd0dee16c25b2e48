"""Measures against scikit-learn and against counts made by hand."""

import numpy as np
import pytest
import torch
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from trainable.engine.metrics import agreement, auc, division


@pytest.mark.parametrize("decimals", [17, 1])
def test_auc_is_scikit_learns_with_and_without_ties(decimals):
    rng = np.random.default_rng(0)
    for share in (0.05, 0.5, 0.95):
        positive = rng.random(400) < share
        score = np.round(rng.random(400) + 0.3 * positive, decimals)
        assert auc(score, positive) == pytest.approx(roc_auc_score(positive, score), abs=1e-12)


@pytest.mark.parametrize(
    ("score", "expected"),
    [([1, 2, 3, 4], 1.0), ([4, 3, 2, 1], 0.0), ([1, 1, 1, 1], 0.5), ([1, 2, 2, 3], 0.875)],
)
def test_auc_counts_won_pairs_and_half_of_the_ties(score, expected):
    assert auc(np.array(score, float), np.array([False, False, True, True])) == expected


@pytest.mark.parametrize("positive", [[True, True], [False, False]])
def test_auc_is_undefined_without_two_classes(positive):
    assert auc(np.array([0.1, 0.2]), np.array(positive)) is None


def test_division_gives_the_counts_made_by_hand():
    probability = np.array([0.9, 0.8, 0.7, 0.6, 0.2, 0.1])
    labeled = probability > 0.5
    clean = np.array([True, True, True, False, True, False])
    values = division(probability, labeled, clean)
    # Of 4 labeled samples 3 are clean; of 4 clean samples 3 are labeled; 7 of the 8 pairs are in order.
    expected = {"auc": 7 / 8, "precision": 3 / 4, "residual_noise": 1 / 4, "recall": 3 / 4}
    assert values == pytest.approx(expected)


def test_division_agrees_with_scikit_learn():
    rng = np.random.default_rng(0)
    clean, probability = rng.random(300) < 0.3, rng.random(300)
    labeled = probability > 0.4
    values = division(probability, labeled, clean)
    assert values["precision"] == pytest.approx(precision_score(clean, labeled))
    assert values["recall"] == pytest.approx(recall_score(clean, labeled))
    assert values["auc"] == pytest.approx(roc_auc_score(clean, probability))


@pytest.mark.parametrize(
    ("labeled", "clean", "defined"),
    [
        ([False, False], [True, False], {"auc", "recall"}),
        ([True, False], [False, False], {"precision", "residual_noise"}),
        ([True, False], [True, True], {"precision", "residual_noise", "recall"}),
        ([False, False], [False, False], set()),
    ],
)
def test_division_leaves_out_what_is_undefined(labeled, clean, defined):
    values = division(np.array([0.9, 0.1]), np.array(labeled), np.array(clean))
    assert set(values) == defined


def test_agreement_is_the_percentage_of_equal_classes():
    classes = torch.tensor([0, 1, 2, 0])
    assert agreement(classes, torch.tensor([0, 1, 2, 1])) == 75
    assert agreement(classes, torch.tensor([1, 0, 0, 2])) == 0


def test_agreement_of_many_classes_is_not_rounded_to_float32():
    classes = torch.zeros(30_001, dtype=torch.int64)
    classes[:10_000] = 1
    assert agreement(classes, torch.zeros_like(classes)) == pytest.approx(
        100 * 20_001 / 30_001, rel=1e-12
    )
