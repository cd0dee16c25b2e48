"""Joint sign flips of whole seeds, against enumeration, and in simulated studies."""

import itertools
import math

import numpy as np
import pytest

from analysis.stats.max_t import max_t
from analysis.stats.paired import paired


def t_statistics(differences):
    n = len(differences)
    return np.abs(differences.mean(0)) / (differences.std(0, ddof=1) / math.sqrt(n))


def test_p_is_the_share_of_patterns_in_which_any_arm_is_as_extreme():
    differences = np.random.default_rng(0).normal(0.8, 1, (6, 3))
    observed = t_statistics(differences)
    most = [
        t_statistics(differences * np.array(signs)[:, None]).max()
        for signs in itertools.product([-1, 1], repeat=6)
    ]
    expected = [np.mean(np.array(most) >= each - 1e-9) for each in observed]
    assert max_t(differences, 0.05).p.tolist() == pytest.approx(expected)


def test_one_arm_alone_has_the_p_of_the_sign_flip_test():
    differences = np.random.default_rng(1).normal(0.5, 1, (9, 1))
    found = max_t(differences, 0.05)
    assert found.p[0] == found.step_down[0] == paired(differences[:, 0]).p


def test_step_down_is_never_larger_and_keeps_the_order():
    differences = np.random.default_rng(2).normal([2, 1, 0.5, 0], 1, (8, 4))
    found = max_t(differences, 0.05)
    assert (found.step_down <= found.p).all()
    order = np.argsort(-t_statistics(differences))
    assert (np.diff(found.step_down[order]) >= 0).all()
    assert found.step_down[order[0]] == found.p[order[0]]


def test_the_smallest_p_does_not_depend_on_the_number_of_arms():
    for arms in (1, 6, 40):
        differences = 5 + np.random.default_rng(3).normal(size=(6, arms))
        assert max_t(differences, 0.05).p.tolist() == [2 / 2**6] * arms


def test_a_missing_pair_counts_for_its_arm_only():
    differences = np.random.default_rng(4).normal(size=(8, 2))
    whole = max_t(differences, 0.05)
    differences[3, 1] = np.nan
    found = max_t(differences, 0.05)
    assert (found.low[0] + found.high[0]) / 2 == pytest.approx(differences[:, 0].mean())
    assert (found.low[1] + found.high[1]) / 2 == pytest.approx(np.nanmean(differences[:, 1]))
    assert found.high[0] == pytest.approx(whole.high[0], rel=0.3)


def test_equal_arms_and_single_pairs():
    found = max_t(np.zeros((8, 2)), 0.05)
    assert found.p.tolist() == [1, 1]
    assert (found.low.tolist(), found.high.tolist()) == ([0, 0], [0, 0])
    single = max_t(np.array([[1.0]]), 0.05)
    assert single.p.tolist() == [1]
    assert np.isnan([single.low[0], single.high[0]]).all()


def test_many_seeds_are_flipped_at_random():
    differences = np.random.default_rng(5).normal(0.9, 1, (30, 2))
    found = max_t(differences, 0.05)
    assert 0 < found.p.max() < 0.05
    assert max_t(differences, 0.05).p.tolist() == found.p.tolist()


@pytest.mark.parametrize("arms", [1, 6])
def test_error_and_coverage_in_simulated_families(arms):
    rng = np.random.default_rng(6)
    studies = 400
    errors = covered = 0
    for _ in range(studies):
        differences = rng.normal(size=(8, arms)) - rng.normal(size=(8, 1))
        found = max_t(differences, 0.05)
        errors += (found.p <= 0.05).any()
        covered += ((found.low <= 0) & (found.high >= 0)).all()
    error = 2 * math.sqrt(0.05 * 0.95 / studies)
    assert errors / studies <= 0.05 + error
    assert covered / studies >= 0.95 - 1.5 * error
