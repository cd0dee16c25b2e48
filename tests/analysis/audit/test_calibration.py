"""Measures of a ranking, against counts by hand."""

import numpy as np
import pandas as pd
import pytest

from analysis.audit.calibration import known, quality, reliability


def ranked(wrong, given, true, suggested=None, confidence=None):
    n = len(wrong)
    table = {"wrong": wrong, "given": given, "true": true, "suggested": suggested or given}
    return pd.DataFrame({**table, "confidence": confidence or [0.5] * n})


def test_the_measures_of_a_list_of_four():
    q = quality(
        ranked([0.9, 0.8, 0.6, 0.1], [0, 0, 0, 0], [1, 0, 2, 0], [1, 1, 1, 0], [0.9, 0.6, 0.6, 0.9])
    )
    assert (q["samples"], q["wrong"]) == (4, 2)
    assert q["expected"] == pytest.approx(2.4)
    assert q["count_error"] == pytest.approx(0.2)
    assert q["auc"] == pytest.approx(3 / 4)
    assert q["average_precision"] == pytest.approx((1 + 2 / 3) / 2)
    assert q["precision@wrong"] == 0.5
    assert q["precision_half"] == pytest.approx(2 / 3)
    assert q["recall_half"] == 1
    assert q["suggestion_expected"] == pytest.approx(0.7)
    assert q["suggestion_right"] == pytest.approx(1 / 3)
    assert q["calibration_error"] == pytest.approx((0.1 + 0.8 + 0.4 + 0.1) / 4)
    assert "precision@10" not in q


def test_the_list_decides_between_equal_probabilities():
    assert quality(ranked([1.0, 1.0, 1.0], [0, 0, 0], [1, 0, 0]))["auc"] == 1
    assert quality(ranked([1.0, 1.0, 1.0], [0, 0, 0], [0, 0, 1]))["auc"] == 0


def test_what_is_undefined_without_wrong_labels_is_nan():
    q = quality(ranked([0.2, 0.1], [0, 1], [0, 1]))
    assert q["wrong"] == 0
    assert np.isnan([q["auc"], q["average_precision"], q["precision_half"], q["count_error"]]).all()


def test_a_truth_that_lacks_one_label_is_not_known():
    assert known(ranked([0.1, 0.2], [0, 1], [0, 1]))
    assert not known(ranked([0.1, 0.2], [0, 1], [0, -1]))


def test_bins_hold_means_and_shares_and_empty_ones_are_left_out():
    bins = reliability(np.array([0.05, 0.01, 0.95, 1.0]), np.array([False, True, True, True]))
    assert bins["low"].tolist() == pytest.approx([0, 0.9])
    assert bins["high"].tolist() == pytest.approx([0.1, 1])
    assert bins["samples"].tolist() == [2, 2]
    assert bins["probability"].tolist() == pytest.approx([0.03, 0.975])
    assert bins["share"].tolist() == [0.5, 1]
