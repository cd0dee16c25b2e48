"""Agreement of predictions and labels beyond chance."""

import numpy as np
import pytest
import torch
from sklearn.metrics import cohen_kappa_score

from trainable.noisy_labels.label_kappa import POOR, hard_to_predict, kappa


def test_it_is_cohens_kappa():
    rng = np.random.default_rng(0)
    for share in (0.1, 0.5, 0.9):
        given = rng.integers(0, 4, 300)
        predicted = np.where(rng.random(300) < share, given, rng.integers(0, 3, 300))
        measured = kappa(torch.from_numpy(predicted), torch.from_numpy(given), 5)
        assert measured == pytest.approx(cohen_kappa_score(predicted, given), abs=1e-6)


def test_what_chance_gives_is_zero_and_one_class_is_chance():
    given = torch.arange(100) % 10
    assert kappa(torch.zeros(100, dtype=torch.int64), given, 10) == pytest.approx(0, abs=1e-6)
    assert kappa(given[:1], given[:1], 10) == 0
    assert kappa(given, given, 10) == pytest.approx(1)


def test_half_of_the_labels_are_predicted_poorly_by_two_classes_and_well_by_ten():
    two, ten = torch.arange(1000) % 2, torch.arange(1000) % 10
    half = torch.arange(1000) < 500
    assert hard_to_predict(kappa(torch.where(half, two, 1 - two), two, 2))
    assert not hard_to_predict(kappa(torch.where(half, ten, (ten + 1) % 10), ten, 10))
    assert not hard_to_predict(POOR)
