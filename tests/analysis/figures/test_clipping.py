"""Axis of differences: an outlier does not squeeze the others."""

import numpy as np
import pandas as pd

from analysis.figures.clipping import limits


def axis(*intervals, margin=0.5):
    rows = pd.DataFrame(intervals, columns=["difference", "low", "high"])
    return limits(rows, margin)


def test_an_axis_without_outlier_holds_all_intervals_and_the_margin():
    found = axis((1, 0.2, 1.8), (-1, -1.6, -0.4), (0.1, -0.5, 0.7))
    assert not any(found.beyond(end) for end in (-1.6, 1.8, -0.5, 0.5))
    assert axis((0.1, 0.0, 0.2)).low < -0.5


def test_an_outlier_is_beyond_the_axis_and_the_other_side_is_untouched():
    near = [(0.5, -0.2, 1.0), (-0.3, -0.8, 0.2), (0.0, -0.5, 0.5)]
    found = axis(*near, (-40.0, -42.0, -38.0))
    assert found.beyond(-40.0)
    assert found.inside(-40.0) == found.low > -4
    assert found.high >= 1.0
    assert not any(found.beyond(end) for row in near for end in row)


def test_one_of_two_arms_may_be_the_outlier():
    found = axis((-0.5, -1.0, 0.0), (-50.0, -55.0, -45.0))
    assert found.beyond(-50.0)
    assert found.low > -4
    assert not found.beyond(-1.0)


def test_unknown_and_infinite_ends_are_ignored():
    found = axis((1.0, np.nan, np.nan), (0.5, -np.inf, np.inf))
    assert np.isfinite([found.low, found.high]).all()
    assert found.beyond(np.inf)
    assert found.beyond(-np.inf)


def test_one_arm_far_from_the_baseline_is_no_outlier():
    found = axis((-30.0, -32.0, -28.0))
    assert not found.beyond(-32.0)
