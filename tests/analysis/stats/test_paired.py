"""Statistics against scipy's t test, against enumeration in whole numbers, and against Holm's closure."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from analysis.stats.paired import (
    Paired,
    bootstrap,
    effect_size,
    improvement,
    paired,
    sign_flip_p,
)


def enumerated_p(whole: list[int]) -> float:
    """Share of all sign patterns whose sum is at least as far from zero; whole numbers, so that ties are ties."""
    signs = np.array(list(itertools.product((1, -1), repeat=len(whole))))
    return float(np.mean(np.abs(signs @ np.array(whole)) >= abs(sum(whole))))


def counted_p(whole: list[int]) -> float:
    """The same for many pairs: ways to reach each sum, one pair at a time."""
    ways = {0: 1}
    for value in whole:
        after: dict[int, int] = {}
        for total, count in ways.items():
            for step in (value, -value):
                after[total + step] = after.get(total + step, 0) + count
        ways = after
    return sum(count for total, count in ways.items() if abs(total) >= abs(sum(whole))) / 2 ** len(
        whole
    )


# --- the interval ---


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("n", [2, 3, 8, 20])
def test_interval_is_scipys(n, confidence):
    differences = np.random.default_rng(n).normal(1, 3, n)
    found = paired(differences, confidence)
    expected = stats.ttest_1samp(differences, 0).confidence_interval(confidence)
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert found.n == n
    assert found.mean == pytest.approx(math.fsum(differences) / n)


def test_interval_of_eight_gaussian_differences_covers_the_mean_in_95_percent(monkeypatch):
    monkeypatch.setattr(
        "analysis.stats.paired.sign_flip_p", lambda differences: 1.0
    )  # slow, and no part of the interval
    samples = np.random.default_rng(0).normal(0.7, 2, (2000, 8))
    found = [paired(sample) for sample in samples]
    assert 0.93 <= np.mean([f.low <= 0.7 <= f.high for f in found]) <= 0.97


def test_equal_differences_have_an_interval_of_no_width():
    found = paired(np.full(8, 0.1))
    assert (found.mean, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1), abs=1e-12)
    assert found.p == 2 / 2**8


@pytest.mark.parametrize("n", [2, 8, 20])
def test_all_zero_differences_are_no_difference(n):
    assert paired(np.zeros(n)) == Paired(n, 0.0, 0.0, 0.0, 1.0)


def test_one_difference_has_a_mean_and_neither_interval_nor_significance():
    found = paired(np.array([1.5]))
    assert (found.n, found.mean, found.p) == (1, 1.5, 1.0)
    assert np.isnan([found.low, found.high]).all()


def test_no_difference_at_all_has_no_statistics():
    found = paired(np.array([]))
    assert found.n == 0
    assert np.isnan([found.mean, found.low, found.high, found.p]).all()


# --- the sign-flip test ---


@pytest.mark.parametrize("n", range(1, 11))
def test_p_is_that_of_all_sign_patterns(n):
    differences = np.random.default_rng(n).integers(-(10**6), 10**6, (10, n))
    for whole in differences.tolist():
        assert sign_flip_p(np.array(whole, float)) == enumerated_p(whole)


@pytest.mark.parametrize("n", range(2, 11))
def test_p_is_that_of_all_sign_patterns_with_ties_and_zeros(n):
    differences = np.random.default_rng(n).integers(-2, 4, (20, n))
    for whole in differences.tolist():
        assert sign_flip_p(np.array(whole, float)) == enumerated_p(whole)


@pytest.mark.parametrize("n", [4, 8, 10])
def test_ties_of_accuracies_are_ties_in_spite_of_rounding(n):
    """Accuracies on 360 images, mean of ten epochs: equal but for the last bits, as in a real study."""
    rng = np.random.default_rng(n)
    hits = rng.integers(300, 306, (100, n, 10))
    others = hits + rng.integers(-1, 3, hits.shape)
    last10, other10 = (np.mean(100 * counts / 360, axis=2) for counts in (hits, others))
    found = [sign_flip_p(difference) for difference in other10 - last10]
    assert found == [enumerated_p(whole) for whole in (others - hits).sum(2).tolist()]


def test_equal_accuracies_are_no_difference_in_spite_of_rounding():
    one_ulp = np.nextafter(83.9, 84) - 83.9
    assert sign_flip_p(np.full(8, one_ulp)) == 1.0


@pytest.mark.parametrize("n", [2, 3, 8, 16])
def test_smallest_p_is_two_over_all_sign_patterns(n):
    assert sign_flip_p(np.arange(1.0, n + 1)) == 2 / 2**n
    assert sign_flip_p(-np.arange(1.0, n + 1)) == 2 / 2**n


@pytest.mark.parametrize("n", [8, 17])
def test_p_repeats_and_leaves_the_global_generator_alone(n):
    differences = np.random.default_rng(0).normal(0.3, 1, n)
    before = np.random.get_state()  # noqa: NPY002
    assert sign_flip_p(differences) == sign_flip_p(differences)
    after = np.random.get_state()  # noqa: NPY002
    assert np.array_equal(before[1], after[1])
    assert before[2:] == after[2:]


@pytest.mark.parametrize("seed", [0, 2])
def test_sampled_p_is_close_to_the_exact_one(seed):
    whole = np.random.default_rng(seed).integers(-5, 9, 20).tolist()
    assert sign_flip_p(np.array(whole, float)) == pytest.approx(counted_p(whole), abs=0.005)


@pytest.mark.parametrize("shift", [0.1, 0.3])
def test_sampled_p_is_close_to_the_normal_approximation(shift):
    differences = np.random.default_rng(1).normal(shift, 1, 40)
    normal = 2 * stats.norm.sf(abs(differences.sum()) / np.sqrt(np.sum(differences**2)))
    assert sign_flip_p(differences) == pytest.approx(normal, abs=0.015)


def test_sampled_p_is_never_zero():
    assert 0 < sign_flip_p(np.ones(40)) < 1e-4


# --- more of the sign-flip test ---


@pytest.mark.parametrize("n", [3, 8, 18])
def test_p_of_many_rows_is_that_of_each_row(n):
    rows = np.random.default_rng(n).normal(0.4, 1, (2, 3, n))
    found = sign_flip_p(rows)
    assert found.shape == (2, 3)
    assert found.tolist() == [[float(sign_flip_p(row)) for row in block] for block in rows]


@pytest.mark.parametrize("n", [4, 7, 10])
def test_without_ties_p_is_that_of_scipys_permutation_test(n):
    differences = np.random.default_rng(n).normal(0.5, 1, n)
    expected = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", n_resamples=np.inf
    ).pvalue
    assert sign_flip_p(differences) == pytest.approx(expected, rel=1e-12)


# --- bootstrap, effect size, improvement ---


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("n", [2, 8])
def test_the_bootstrap_is_scipys_percentile_interval(n, confidence):
    differences = np.random.default_rng(n).normal(1, 3, n)
    expected = stats.bootstrap(
        (differences,),
        np.mean,
        n_resamples=10_000,
        confidence_level=confidence,
        method="percentile",
        rng=0,
    ).confidence_interval
    found = bootstrap(differences, confidence)
    assert found == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert bootstrap(differences, confidence) == bootstrap(differences, confidence)


def test_the_bootstrap_of_two_differences_goes_from_one_to_the_other():
    assert bootstrap(np.array([1.0, 3.0])) == (1, 3)  # 2/4 of the resamples are (1, 3), 1/4 (1, 1)


@pytest.mark.parametrize("n", [0, 1])
def test_the_bootstrap_needs_two_differences(n):
    assert np.isnan(bootstrap(np.ones(n))).all()


def test_effect_size_is_the_mean_over_the_sd():
    assert effect_size(np.array([1.0, 3.0, 5.0])) == 1.5  # mean 3, sd 2
    assert effect_size(np.array([-1.0, -3.0, -5.0])) == -1.5
    assert effect_size(np.array([-1.0, 1.0])) == 0


@pytest.mark.parametrize(
    ("differences", "expected"),
    [([0, 0, 0], 0), ([2, 2, 2], math.nan), ([2], math.nan), ([], math.nan)],
)
def test_effect_size_without_spread(differences, expected):
    found = effect_size(np.array(differences, float))
    assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("differences", "share"),
    [
        ([1, 2, -1, 3], 0.75),
        ([0, 0], 0.5),
        ([1, 0, 0, -1], 0.5),
        ([1e-12, 1], 0.75),
        ([-1, -2], 0),
        ([], math.nan),
    ],
)
def test_improvement_is_the_share_of_better_seeds_with_ties_counted_half(differences, share):
    assert improvement(np.array(differences, float)) == pytest.approx(share, nan_ok=True)
