"""The interval of the mean over all seeds: against the t interval, and in simulations."""

import math

import numpy as np
import pytest

from analysis.stats.arm_interval import arm_interval
from analysis.stats.paired import mean_interval


def test_without_an_error_of_the_labels_it_is_the_t_interval():
    of_seeds = np.array([1.0, 2.5, 2.0, 4.0, 3.0])
    mean, low, high = mean_interval(of_seeds)
    found = arm_interval(of_seeds, (mean, mean), own=0, common=0)
    assert found == pytest.approx((low, high, of_seeds.std(ddof=1)))


def test_without_a_spread_it_is_the_interval_of_the_networks():
    low, high, sd = arm_interval(np.full(5, 2.0), (1.5, 4.0), own=0.1, common=0.1)
    assert (low, high, sd) == (1.5, 4.0, 0.0)


def test_one_seed_tells_nothing_of_the_arm():
    assert all(math.isnan(value) for value in arm_interval(np.array([2.0]), (1, 3), 0.1, 0.1))


@pytest.mark.parametrize("spread", [0.0, 1.0, 3.0])
def test_it_holds_the_mean_of_all_seeds(spread):
    """Labels give every seed one error (variance 1) and each an own one (variance 2)."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(1000):
        of_seeds = spread * rng.normal(size=6) + rng.normal() + np.sqrt(2) * rng.normal(size=6)
        common = 1 + 2 / 6
        half = 1.96 * np.sqrt(common)
        mean = of_seeds.mean()
        low, high, _ = arm_interval(of_seeds, (mean - half, mean + half), 3, common)
        held += low <= 0 <= high
    assert held >= 930


def test_what_the_labels_add_to_the_spread_is_not_counted_twice():
    of_seeds = np.array([0.0, 2.0])
    _, _, sd = arm_interval(of_seeds, (0, 2), own=1.25, common=0.75)
    assert sd == pytest.approx(1)  # a variance of 2, of which 2 · 0.5 is due to the labels
