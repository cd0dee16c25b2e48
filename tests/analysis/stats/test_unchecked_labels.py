"""Corrections by a declared structure and the sensitivity: by enumeration and in simulations."""

import itertools

import numpy as np
import pytest

from analysis.stats.unchecked_labels import (
    corrected_accuracy,
    corrected_difference,
    sensitivity,
    symmetric_factor,
    symmetric_transition,
    transition_draws,
)

MATRIX = np.array([[0.7, 0.3, 0.0], [0.1, 0.8, 0.1], [0.0, 0.4, 0.6]])


def draw(rng, true, matrix):
    upper = matrix.cumsum(axis=1)[true]
    return (rng.random((len(true), 1)) > upper[:, :-1]).sum(axis=1)


@pytest.fixture
def material():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 3, 200)
    arms = []
    for accuracy in (0.8, 0.6):
        wrong = rng.random((3, 200)) > accuracy
        arms.append(np.where(wrong, (true + rng.integers(1, 3, (3, 200))) % 3, true))
    return rng, true, *arms


# --- symmetric noise ---


@pytest.mark.parametrize(("rate", "classes"), [(0.4, 10), (0.2, 3), (0.3, 2)])
def test_the_factor_is_the_slope_of_the_expected_agreement(rate, classes):
    matrix = symmetric_transition(rate, classes)
    assert matrix.sum(axis=1).tolist() == pytest.approx([1] * classes)
    right = matrix[0, 0]
    wrong = matrix[0, 1]
    assert symmetric_factor(rate, classes) == pytest.approx(right - wrong)


def test_ten_classes_with_40_percent():
    assert symmetric_factor(0.4, 10) == pytest.approx(0.5556, abs=1e-4)


@pytest.mark.parametrize(("rate", "classes"), [(0.5, 2), (0.9, 10), (0.95, 10)])
def test_noise_that_leaves_nothing_is_refused(rate, classes):
    with pytest.raises(ValueError, match="labels tell nothing"):
        symmetric_factor(rate, classes)


def test_the_correction_of_symmetric_noise_is_a_division(material):
    rng, true, arm, baseline = material
    unchecked = draw(rng, true, symmetric_transition(0.3, 3))
    transition = symmetric_transition(0.3, 3)
    factor = symmetric_factor(0.3, 3)
    found = corrected_difference(arm, baseline, unchecked, transition)
    assert found.value == pytest.approx(found.unchecked / factor)
    agreed = 100 * (arm == unchecked).mean()
    of_arm = corrected_accuracy(arm, unchecked, transition)
    assert of_arm.unchecked == pytest.approx(agreed)
    assert of_arm.value == pytest.approx((agreed - 100 * 0.15) / factor)


# --- class-dependent noise ---


def test_right_labels_need_no_correction(material):
    _, true, arm, baseline = material
    found = corrected_difference(arm, baseline, true, np.eye(3))
    truth = 100 * ((arm == true).mean() - (baseline == true).mean())
    assert found.value == pytest.approx(truth)
    assert (found.low, found.high) == pytest.approx((truth, truth))
    assert found.arm_low < truth < found.arm_high


def test_corrected_values_are_right_on_average_and_their_intervals_hold_the_truth(material):
    rng, true, arm, baseline = material
    level = 100 * (arm == true).mean()
    change = level - 100 * (baseline == true).mean()
    values = []
    held = np.zeros(2)
    for _ in range(400):
        unchecked = draw(rng, true, MATRIX)
        of_arm = corrected_accuracy(arm, unchecked, MATRIX)
        of_both = corrected_difference(arm, baseline, unchecked, MATRIX)
        values.append((of_arm.value, of_both.value))
        held += [of_arm.low <= level <= of_arm.high, of_both.low <= change <= of_both.high]
    error = np.std(values, axis=0) / np.sqrt(400)
    assert (np.abs(np.mean(values, axis=0) - [level, change]) < 4 * error).all()
    assert (held >= 0.92 * 400).all()
    assert (held <= 0.99 * 400).all()


def test_the_uncertainty_of_the_matrix_makes_intervals_wider(material):
    rng, true, arm, _ = material
    unchecked = draw(rng, true, MATRIX)
    exact = corrected_accuracy(arm, unchecked, MATRIX)
    widths = []
    for labels in (30, 3000):
        of_draws = corrected_accuracy(arm, unchecked, transition_draws(labels * MATRIX))
        widths.append(of_draws.high - of_draws.low)
    assert widths[0] > 1.2 * widths[1]
    assert widths[1] == pytest.approx(exact.high - exact.low, rel=0.1)


def test_draws_have_the_mean_and_the_spread_of_the_counts():
    draws = transition_draws(np.array([[70, 30], [10, 90]]))
    assert draws.sum(axis=2) == pytest.approx(np.ones(draws.shape[:2]))
    assert draws.mean(axis=0) == pytest.approx(np.array([[0.7, 0.3], [0.1, 0.9]]), abs=0.02)
    assert draws[:, 0, 0].std() == pytest.approx(np.sqrt(0.7 * 0.3 / 101), rel=0.2)


def test_a_matrix_without_an_inverse_is_refused(material):
    _, true, arm, _ = material
    with pytest.raises(ValueError, match="no inverse"):
        corrected_accuracy(arm, true, np.full((3, 3), 1 / 3))


# --- any noise ---


def least_number(arm, baseline, unchecked, needed):
    """The least number of changed labels, by trying all: the difference falls by `needed`."""
    images = len(unchecked)

    def total(labels):
        return (arm == labels).sum() - (baseline == labels).sum()

    for number in range(images + 1):
        for rows in itertools.combinations(range(images), number):
            for labels in itertools.product(range(4), repeat=number):
                changed = unchecked.copy()
                changed[list(rows)] = labels
                if total(unchecked) - total(changed) >= needed * images:
                    return number
    raise AssertionError


@pytest.mark.parametrize("seed", range(6))
def test_no_smaller_number_of_wrong_labels_overturns_the_sign(seed):
    rng = np.random.default_rng(seed)
    arm, baseline = rng.integers(0, 3, (2, 1, 7))
    unchecked = np.where(rng.random(7) < 0.6, arm[0], 3)
    change = (arm == unchecked).mean() - (baseline == unchecked).mean()
    assert change > 0
    found = sensitivity(arm, baseline, unchecked, 0)
    assert found.sign == pytest.approx(100 / 7 * least_number(arm, baseline, unchecked, change))
    assert found.interval == 0
    swapped = sensitivity(baseline, arm, unchecked, 0)
    assert swapped == found


def test_one_label_moves_a_difference_by_two_images_at_most():
    arm = np.array([[0, 0, 0, 0, 0, 1]])
    baseline = np.array([[1, 1, 1, 1, 0, 1]])
    unchecked = np.zeros(6, int)
    # 4 of 6 images differ and favor the arm. Two labels become the baseline's prediction.
    assert sensitivity(arm, baseline, unchecked, 100 / 6).sign == pytest.approx(200 / 6)
    assert sensitivity(arm, baseline, unchecked, 100 / 6).interval == pytest.approx(100 / 6)


def test_equal_arms_have_nothing_to_overturn():
    same = np.array([[0, 1, 2]])
    found = sensitivity(same, same, np.array([0, 1, 1]), 0)
    assert (found.sign, found.interval) == (0, 0)
