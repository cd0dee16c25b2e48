"""Confidence sequences: fair bets, coverage at every number of seeds, and what they say of simple data."""

import math

import numpy as np
import pytest

from analysis.stats.confidence_sequence import (
    STAKES,
    center_interval,
    center_winnings,
    mean_interval,
    mean_winnings,
)


def all_signs(n):
    return np.array([[1 - 2 * (k >> i & 1) for i in range(n)] for k in range(2**n)])


def test_a_bet_on_a_symmetric_center_is_fair():
    # Whatever the sizes of the differences, the mean over all signs is the stake.
    sizes = np.array([0.1, 3.0, 1.0, 0.0, 40.0, 2.0])
    winnings = [center_winnings(signs * sizes, np.zeros(1))[0] for signs in all_signs(6)]
    assert np.mean(winnings, axis=0) == pytest.approx(np.ones(6))


def test_a_bet_on_a_mean_is_fair():
    # −1, 0 and 1 with chances 0.1, 0.7, 0.2 have the mean 0.1.
    steps = {-1: 0.1, 0: 0.7, 1: 0.2}
    expected = 0.0
    for first, chance in steps.items():
        for second, other in steps.items():
            numbers = np.array([first, second], float)
            expected += chance * other * mean_winnings(numbers, np.array([0.1]))[0, -1]
    assert expected == pytest.approx(1)


def test_winnings_worked_by_hand():
    # One difference is its own scale, so its score is 1.
    assert center_winnings(np.array([7.0]), np.zeros(1))[0, 0] == pytest.approx(
        np.mean(1 + np.tanh(STAKES))
    )
    assert center_winnings(np.array([0.0, 0.0]), np.zeros(1))[0].tolist() == [1, 1]


def test_a_seed_doubles_the_winnings_at_most():
    differences = np.random.default_rng(0).standard_cauchy(50)
    for side in (differences, -differences, np.ones(50)):
        winnings = center_winnings(side, np.zeros(1))[0]
        assert (winnings[1:] <= 2 * winnings[:-1] + 1e-9).all()


DISTRIBUTIONS = {
    "gaussian": lambda rng, shape: rng.normal(size=shape),
    "t3": lambda rng, shape: rng.standard_t(3, size=shape),
    "rounded": lambda rng, shape: np.round(rng.normal(size=shape) * 3) / 3.6,
    "skewed on both sides": lambda rng, shape: (
        rng.exponential(size=shape) - rng.exponential(size=shape)
    ),
}


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_the_center_is_inside_at_all_times(name):
    rng = np.random.default_rng(1)
    studies = 1000
    missed = 0
    for differences in DISTRIBUTIONS[name](rng, (studies, 40)):
        above = center_winnings(differences, np.zeros(1))[0].max()
        below = center_winnings(-differences, np.zeros(1))[0].max()
        missed += max(above, below) >= 2 / 0.1
    assert missed / studies <= 0.1 + 2 * math.sqrt(0.1 * 0.9 / studies)


def test_an_interval_holds_what_is_not_rejected_and_nothing_else():
    differences = np.random.default_rng(2).normal(1, 1, 20)
    low, high = center_interval(differences, 0.05)
    assert low < 1 < high
    step = 1e-3 * (high - low)
    for inside, outside, side in ((low, low - step, 1), (high, high + step, -1)):
        winnings = [
            center_winnings(side * differences, np.array([side * value]))[0].max()
            for value in (inside, outside)
        ]
        assert winnings[0] < 2 / 0.05 <= winnings[1]


def test_an_interval_moves_and_stretches_with_the_differences():
    differences = np.random.default_rng(3).normal(size=15)
    low, high = center_interval(differences, 0.05)
    assert center_interval(5 + 2 * differences, 0.05) == pytest.approx((5 + 2 * low, 5 + 2 * high))
    assert center_interval(-differences, 0.05) == pytest.approx((-high, -low))


def test_few_seeds_have_no_ends():
    for n in range(5):
        assert center_interval(np.arange(n, dtype=float), 0.05) == (-math.inf, math.inf)


def test_equal_differences_have_a_point_once_there_are_enough():
    assert center_interval(np.full(20, 0.3), 0.05) == (0.3, 0.3)
    assert center_interval(np.zeros(20), 0.05) == (0, 0)


def test_differences_that_drift_fit_no_center():
    low, high = center_interval(np.repeat([-1.0, 1.0], [20, 40]) + 0.001, 0.05)
    assert low > high


@pytest.mark.parametrize("ones", [0, 2, 20])
def test_rates(ones):
    numbers = np.array([1.0] * ones + [0.0] * (64 - ones))
    np.random.default_rng(0).shuffle(numbers)
    low, high = mean_interval(numbers, 0.05)
    assert -1 <= low <= ones / 64 <= high <= 1
    assert (low > 0) == (ones == 20)
    narrow = mean_interval(np.tile(numbers, 4), 0.05)
    assert narrow[1] - narrow[0] < high - low


def test_without_any_number_every_rate_is_possible():
    assert mean_interval(np.array([]), 0.05) == (-1, 1)


def test_a_rate_is_inside_at_all_times():
    rng = np.random.default_rng(4)
    studies = 1000
    missed = 0
    for numbers in rng.choice([-1.0, 0, 1], p=[0.1, 0.7, 0.2], size=(studies, 60)):
        above = mean_winnings(numbers, np.array([0.1]))[0].max()
        below = mean_winnings(-numbers, np.array([-0.1]))[0].max()
        missed += max(above, below) >= 2 / 0.1
    assert missed / studies <= 0.1 + 2 * math.sqrt(0.1 * 0.9 / studies)
