"""Statistics against scipy's t test, against enumeration in whole numbers, and against Holm's closure."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from analysis.stats.paired import (
    MOST_SEEDS,
    Paired,
    bootstrap,
    effect_size,
    holm,
    improvement,
    paired,
    power,
    seeds_for_equivalence,
    seeds_to_detect,
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
    return sum(count for total, count in ways.items() if abs(total) >= abs(sum(whole))) / 2 ** len(whole)


def closed_p(p: list[float]) -> list[float]:
    """Holm as closed testing: the worst Bonferroni p of all subsets that hold the hypothesis."""
    subsets = [s for size in range(1, len(p) + 1) for s in itertools.combinations(range(len(p)), size)]
    return [max(min(1.0, len(s) * min(p[j] for j in s)) for s in subsets if i in s) for i in range(len(p))]


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


# --- Holm ---


def test_holm_of_an_example_worked_by_hand():
    # In order: 4 · 0.005 = 0.02, 3 · 0.01 = 0.03, 2 · 0.03 = 0.06, and 1 · 0.04 is raised to 0.06.
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize("m", range(1, 8))
def test_holm_is_closed_bonferroni_testing(m):
    rng = np.random.default_rng(m)
    for decimals in (17, 1):
        p = np.round(rng.random(m) ** 2, decimals)
        assert holm(p) == pytest.approx(closed_p(p.tolist()))


def test_holm_leaves_nan_alone_and_does_not_count_it():
    adjusted = holm(np.array([np.nan, 0.01, np.nan, 0.04]))
    assert adjusted == pytest.approx([np.nan, 0.02, np.nan, 0.04], nan_ok=True)


@pytest.mark.parametrize("p", [[], [np.nan], [np.nan, np.nan]])
def test_holm_of_nothing_known_is_nothing_known(p):
    adjusted = holm(np.array(p))
    assert len(adjusted) == len(p)
    assert np.isnan(adjusted).all()


def test_holm_keeps_the_order_never_lowers_a_p_and_never_exceeds_one():
    for m in (2, 5, 30):
        p = np.random.default_rng(m).random(m)
        adjusted = holm(np.append(p, 0.9))
        assert (np.diff(adjusted[:-1][np.argsort(p)]) >= 0).all()
        assert (adjusted[:-1] >= p).all()
        assert adjusted.max() <= 1
    assert holm(np.array([0.9, 0.8])).tolist() == [1, 1]


def test_a_family_that_is_larger_than_its_known_p_values_is_corrected_as_a_whole():
    assert holm(np.array([0.01, np.nan, 0.02]), 8) == pytest.approx([0.08, np.nan, 0.14], nan_ok=True)


def test_holm_leaves_its_argument_alone():
    p = np.array([0.2, 0.1, np.nan])
    holm(p)
    assert p.tolist()[:2] == [0.2, 0.1]


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
    expected = stats.permutation_test((differences,), np.sum, permutation_type="samples", n_resamples=np.inf).pvalue
    assert sign_flip_p(differences) == pytest.approx(expected, rel=1e-12)


# --- bootstrap, effect size, improvement ---


@pytest.mark.parametrize("confidence", [0.8, 0.95])
@pytest.mark.parametrize("n", [2, 8])
def test_the_bootstrap_is_scipys_percentile_interval(n, confidence):
    differences = np.random.default_rng(n).normal(1, 3, n)
    expected = stats.bootstrap(
        (differences,), np.mean, n_resamples=10_000, confidence_level=confidence, method="percentile", rng=0
    ).confidence_interval
    assert bootstrap(differences, confidence) == (expected.low, expected.high)
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
    ("differences", "expected"), [([0, 0, 0], 0), ([2, 2, 2], math.nan), ([2], math.nan), ([], math.nan)]
)
def test_effect_size_without_spread(differences, expected):
    found = effect_size(np.array(differences, float))
    assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    ("differences", "share"),
    [([1, 2, -1, 3], 0.75), ([0, 0], 0.5), ([1, 0, 0, -1], 0.5), ([1e-12, 1], 0.75), ([-1, -2], 0), ([], math.nan)],
)
def test_improvement_is_the_share_of_better_seeds_with_ties_counted_half(differences, share):
    assert improvement(np.array(differences, float)) == pytest.approx(share, nan_ok=True)


# --- power and how many seeds ---


def test_power_of_textbook_examples():
    # Cohen 1988: a paired t test needs 34 pairs for d = 0.5, 15 for d = 0.8 and 199 for d = 0.2 at 80 % and 0.05.
    for effect, n in ((0.5, 34), (0.8, 15), (0.2, 199)):
        assert power(effect, n - 1) < 0.8 <= power(effect, n)


@pytest.mark.parametrize(("effect", "n", "alpha"), [(0.5, 8, 0.05), (1.0, 8, 0.05), (-1.0, 12, 0.01), (0.0, 6, 0.05)])
def test_power_is_the_share_of_simulated_t_tests_that_find_the_effect(effect, n, alpha):
    samples = np.random.default_rng(1).normal(effect, 1, (20_000, n))
    found = (stats.ttest_1samp(samples, 0, axis=1).pvalue <= alpha).mean()
    assert power(effect, n, alpha) == pytest.approx(found, abs=0.012)


@pytest.mark.parametrize("effect", [1e-3, 3.0, 1e3, -1e3])
@pytest.mark.parametrize("n", [2, 8, 5000])
def test_power_is_a_chance_however_far_out(effect, n):
    assert 0 <= power(effect, n) <= 1


def test_seeds_to_detect_are_the_fewest_with_the_power():
    assert seeds_to_detect(0.5) == 34
    assert seeds_to_detect(-0.5) == 34
    n = int(seeds_to_detect(0.7, comparisons=4, chance=0.9))
    assert power(0.7, n - 1, 0.05 / 4) < 0.9 <= power(0.7, n, 0.05 / 4)


def test_smaller_effects_more_comparisons_and_a_higher_chance_need_more_seeds():
    effects = [seeds_to_detect(effect) for effect in (0.05, 0.1, 0.3, 0.6, 1, 2, 5, 50)]
    assert effects == sorted(effects, reverse=True)
    families = [seeds_to_detect(0.8, comparisons) for comparisons in (1, 2, 6, 20)]
    assert families == sorted(set(families))
    chances = [seeds_to_detect(0.8, 1, chance) for chance in (0.5, 0.8, 0.9, 0.99)]
    assert chances == sorted(set(chances))


@pytest.mark.parametrize(("comparisons", "fewest"), [(1, 6), (6, 8), (20, 10)])
def test_no_effect_is_so_large_that_fewer_seeds_than_the_exact_test_needs_detect_it(comparisons, fewest):
    assert seeds_to_detect(1000.0, comparisons) == fewest


def test_seeds_to_detect_of_no_effect_are_infinitely_many_and_of_an_unknown_one_unknown():
    assert seeds_to_detect(0.0) == math.inf
    assert seeds_to_detect(1e-4) == math.inf
    assert math.isnan(seeds_to_detect(math.nan))


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
    assert math.isnan(seeds_for_equivalence(math.nan, math.nan, 0.5))
    assert math.isnan(seeds_for_equivalence(1, math.nan, 0.5))
