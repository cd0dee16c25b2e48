"""How many seeds are needed, against tables and simulation."""

import math

import numpy as np
import pytest
from scipy import stats

from analysis.stats.power import (
    MOST_SEEDS,
    power,
    seeds_for_equivalence,
    seeds_to_decide,
    seeds_to_detect,
)

# --- power and how many seeds ---


def test_power_of_textbook_examples():
    # Cohen 1988: a paired t test needs 34 pairs for d = 0.5, 15 for d = 0.8 and 199 for d = 0.2 at 80 % and 0.05.
    for effect, n in ((0.5, 34), (0.8, 15), (0.2, 199)):
        assert power(effect, n - 1) < 0.8 <= power(effect, n)


@pytest.mark.parametrize(
    ("effect", "n", "alpha"), [(0.5, 8, 0.05), (1.0, 8, 0.05), (-1.0, 12, 0.01), (0.0, 6, 0.05)]
)
def test_power_is_the_share_of_simulated_t_tests_that_find_the_effect(effect, n, alpha):
    samples = np.random.default_rng(1).normal(effect, 1, (20_000, n))
    found = (stats.ttest_1samp(samples, 0, axis=1).pvalue <= alpha).mean()
    assert power(effect, n, alpha) == pytest.approx(found, abs=0.012)


@pytest.mark.parametrize("effect", [1e-3, 3.0, 1e3, -1e3])
@pytest.mark.parametrize("n", [2, 8, 5000])
def test_power_is_a_chance_however_far_out(effect, n):
    assert 0 <= power(effect, n) <= 1


def test_seeds_to_detect_are_the_fewest_with_the_power():
    assert seeds_to_detect(-0.5) == seeds_to_detect(0.5)
    n = int(seeds_to_detect(0.7, arms=4))
    assert power(0.7, n - 1, 0.04 / 4) < 0.8 <= power(0.7, n, 0.04 / 4)


def test_smaller_effects_and_more_comparisons_need_more_seeds():
    effects = [seeds_to_detect(effect) for effect in (0.05, 0.1, 0.3, 0.6, 1, 2, 5, 50)]
    assert effects == sorted(effects, reverse=True)
    families = [seeds_to_detect(0.8, comparisons) for comparisons in (1, 2, 6, 20)]
    assert families == sorted(set(families))


@pytest.mark.parametrize("arms", [1, 6, 20])
def test_no_effect_is_so_large_that_fewer_seeds_than_the_exact_test_needs_detect_it(arms):
    assert seeds_to_detect(1000.0, arms) == 6


def test_seeds_to_detect_of_no_effect_are_infinitely_many():
    assert seeds_to_detect(0.0) == math.inf
    assert seeds_to_detect(1e-4) == math.inf


def test_counts_of_seeds_end_at_their_limit():
    for effect in (0.029, 0.027, 0.026, 0.024, 0.02):
        found = seeds_to_detect(effect)
        assert found <= MOST_SEEDS or found == math.inf


def test_seeds_for_equivalence_worked_by_hand():
    # Half widths of mean 0, sd 1: 12.706/√2 = 8.98 for 2, 4.303/√3 = 2.48 for 3, 3.182/2 = 1.59 for 4,
    # 2.776/√5 = 1.24 for 5, 2.571/√6 = 1.05 for 6, 2.447/√7 = 0.92 for 7.
    assert seeds_for_equivalence(0, 1, 1) == 7
    assert seeds_for_equivalence(0, 1, 1.3) == 5
    assert seeds_for_equivalence(-0.3, 1, 1.3) == 7
    assert seeds_for_equivalence(0, 1, 10) == 2
    assert seeds_for_equivalence(0, 0, 0.5) == 2


def test_a_mean_outside_of_the_margin_is_never_equivalent():
    assert seeds_for_equivalence(0.5, 0.1, 0.5) == math.inf
    assert seeds_for_equivalence(-3, 0, 0.5) == math.inf


def test_seeds_to_decide_are_a_range_from_what_is_plausible():
    low, high = seeds_to_decide(8, 1.0, 1.0, 0.5, arms=3)
    assert low == seeds_to_detect((1 + HALF) / LEAST_SD, 3)
    assert low < seeds_to_detect(1.0, 3) < high
    assert seeds_to_decide(200, 0.02, 1.0, 0.5) < (60, 90)


HALF = stats.t.ppf(0.95, 7) / math.sqrt(8)
LEAST_SD = math.sqrt(7 / stats.chi2.ppf(0.95, 7))


@pytest.mark.parametrize(("pairs", "sd"), [(0, math.nan), (1, math.nan), (8, 0.0)])
def test_without_a_spread_no_number_is_promised(pairs, sd):
    assert np.isnan(seeds_to_decide(pairs, 1.0, sd, 0.5)).all()
