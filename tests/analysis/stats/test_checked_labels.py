"""Estimates with a checked sample of the test labels: by hand, against Wilson's, in simulations."""

import numpy as np
import pytest
from scipy import stats

from analysis.stats.checked_labels import (
    DOUBTS,
    NO_CLASS,
    CheckedLabels,
    accuracy,
    agreement,
    difference,
    score_interval,
)

SEEDS = 4
IMAGES = 300


def networks(rng, true, accuracy):
    """Predictions (SEEDS, N) that are wrong on images that are hard for all seeds."""
    hardness = rng.random(len(true))
    own = rng.random((SEEDS, len(true)))
    wrong = (hardness + own) / 2 > accuracy
    return np.where(wrong, (true + rng.integers(1, 5, len(true))) % 5, true)


@pytest.fixture
def material():
    rng = np.random.default_rng(0)
    true = rng.integers(0, 5, IMAGES)
    unchecked = np.where(rng.random(IMAGES) < 0.3, (true + 1) % 5, true)
    return true, unchecked, networks(rng, true, 0.7), networks(rng, true, 0.6)


def checked(true, unchecked, rows):
    return CheckedLabels(unchecked, np.array(rows, int), true[rows])


def test_all_labels_checked_give_the_truth(material):
    true, unchecked, arm, baseline = material
    labels = checked(true, unchecked, np.random.default_rng(1).permutation(IMAGES))
    found = accuracy(arm, labels)
    assert found.value == pytest.approx(100 * (arm == true).mean())
    assert found.low == found.high == pytest.approx(found.value)
    found = difference(arm, baseline, labels)
    truth = 100 * ((arm == true).mean() - (baseline == true).mean())
    assert found.value == pytest.approx(truth)
    assert found.low == found.high == pytest.approx(truth)
    assert found.arm_low < truth < found.arm_high


def test_checking_alone_is_the_mean_with_wilsons_interval():
    true = np.zeros(100_000, int)
    arm = np.zeros((1, 100_000), int)
    arm[0, :7] = 1
    labels = checked(true, true, np.arange(50))
    found = accuracy(arm, labels, tuned=False)
    wilson = stats.binomtest(43, 50).proportion_ci(method="wilson")
    assert score_interval(0.86, 50) == pytest.approx((wilson.low, wilson.high))
    # The jackknife takes n / (n − 1) times the residuals, and one image tells nothing.
    variance = 50 * 0.86 * 0.14
    more = (variance * (50 / 49) ** 2 + 1 / 4) / (variance + 1 / 4)
    low, high = score_interval(0.86, 50 / more)
    assert found.value == pytest.approx(86)
    assert (found.low, found.high) == pytest.approx((100 * low, 100 * high), abs=0.01)


def test_the_weight_is_the_slope_with_images_on_which_unchecked_labels_are_far_off(material):
    true, unchecked, arm, _ = material
    rows = np.arange(80)
    found = accuracy(arm, checked(true, unchecked, rows))
    guessed = agreement(arm, unchecked)[:, rows].mean(axis=0)
    values = agreement(arm, true)[:, rows].mean(axis=0)
    guessed -= guessed.mean()
    slope = (guessed @ (values - values.mean())) / (guessed @ guessed + DOUBTS)
    assert found.weight == pytest.approx(slope)
    everywhere = 100 * agreement(arm, unchecked).mean()
    on_sample = 100 * agreement(arm, unchecked)[:, rows].mean()
    corrected = 100 * values.mean() + slope * (everywhere - on_sample)
    assert found.value == pytest.approx(corrected)
    assert found.unchecked == pytest.approx(everywhere)


def test_right_unchecked_labels_make_the_interval_narrower_but_never_empty(material):
    true, _, arm, baseline = material
    labels = checked(true, true, np.arange(100))
    for found, alone in (
        (accuracy(arm, labels), accuracy(arm, labels, tuned=False)),
        (difference(arm, baseline, labels), difference(arm, baseline, labels, tuned=False)),
    ):
        assert 0 < found.high - found.low < 0.7 * (alone.high - alone.low)


def test_images_with_equal_predictions_change_no_difference(material):
    true, unchecked, arm, baseline = material
    equal = np.flatnonzero((arm == baseline).all(axis=0))
    rows = np.setdiff1d(np.arange(100), equal)
    without = difference(arm, baseline, checked(true, unchecked, rows))
    everything = difference(arm, baseline, checked(true, unchecked, np.append(rows, equal)))
    assert without == everything
    assert without.checked == len(rows)
    assert without.images == IMAGES - len(equal)


def test_without_checked_images_that_matter_only_the_limits_are_known(material):
    true, unchecked, arm, baseline = material
    equal = np.flatnonzero((arm == baseline).all(axis=0))
    found = difference(arm, baseline, checked(true, unchecked, equal))
    most = 100 * (arm != baseline).mean()
    assert np.isnan(found.value)
    assert (found.low, found.high) == pytest.approx((-most, most))
    assert difference(arm, arm, checked(true, unchecked, [])).high == 0


def test_an_image_of_no_class_is_wrong_for_every_arm_and_changes_no_difference(material):
    true, unchecked, arm, baseline = material
    unclear = true.copy()
    unclear[:30] = NO_CLASS
    labels = checked(unclear, unchecked, np.arange(IMAGES))
    share = 100 * (arm[:, 30:] == true[30:]).sum() / arm.size
    assert accuracy(arm, labels).value == pytest.approx(share)
    change = (arm[:, 30:] == true[30:]).sum() - (baseline[:, 30:] == true[30:]).sum()
    found = difference(arm, baseline, labels)
    assert found.value == pytest.approx(100 * change / arm.size)


def test_epochs_are_averaged(material):
    true, unchecked, arm, baseline = material
    labels = checked(true, unchecked, np.arange(90))
    twice = np.stack([arm, arm], axis=1)
    assert accuracy(twice, labels) == accuracy(arm, labels)
    both = np.stack([arm, baseline], axis=1)
    middle = (agreement(arm, true) + agreement(baseline, true)) / 2
    assert agreement(both, true).tolist() == middle.tolist()


def test_one_seed_has_no_interval_for_the_arm(material):
    true, unchecked, arm, _ = material
    found = accuracy(arm[:1], checked(true, unchecked, np.arange(90)))
    assert np.isnan([found.arm_low, found.arm_high, found.seed_sd]).all()
    assert found.low < found.value < found.high


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([3, 5, 3], "image 3 has more than one checked label"),
        ([3, 300], "checked image 300 is not one of the 300 test images"),
        ([-1], "checked image -1 is not"),
    ],
)
def test_rows_that_cannot_be_are_refused(material, rows, message):
    _, unchecked, _, _ = material
    with pytest.raises(ValueError, match=message):
        CheckedLabels(unchecked, np.array(rows), np.zeros(len(rows), int))


def test_a_label_for_every_row_is_needed(material):
    _, unchecked, _, _ = material
    with pytest.raises(ValueError, match="2 checked images have 1 labels"):
        CheckedLabels(unchecked, np.array([1, 2]), np.array([0]))


def test_intervals_hold_the_truth_when_wrong_labels_favor_the_baseline():
    """On half of the images that only the arm gets right, the label is the baseline's prediction."""
    rng = np.random.default_rng(5)
    true = rng.integers(0, 5, 600)
    arm = networks(rng, true, 0.75)
    baseline = networks(rng, true, 0.7)
    truth = 100 * ((arm == true).mean() - (baseline == true).mean())
    level = 100 * (arm == true).mean()
    held = np.zeros(2)
    for _ in range(300):
        favored = (arm[0] == true) & (baseline[0] != true) & (rng.random(600) < 0.5)
        unchecked = np.where(favored, baseline[0], true)
        labels = checked(true, unchecked, rng.permutation(600)[:100])
        of_arm = accuracy(arm, labels)
        found = difference(arm, baseline, labels)
        held += [of_arm.low <= level <= of_arm.high, found.low <= truth <= found.high]
    assert (held >= 0.92 * 300).all()
    assert found.unchecked < truth - 5


def test_seeds_add_their_spread(material):
    true, unchecked, arm, baseline = material
    labels = checked(true, unchecked, np.arange(200))
    found = difference(arm, baseline, labels)
    alike = difference(np.stack([arm[0]] * 4), np.stack([baseline[0]] * 4), labels)
    assert alike.seed_sd == pytest.approx(0, abs=1e-6)
    assert (alike.arm_low, alike.arm_high) == pytest.approx((alike.low, alike.high))
    mixed = arm.copy()
    mixed[0] = baseline[0]
    spread = difference(mixed, baseline, labels)
    assert spread.seed_sd > found.seed_sd
    assert spread.arm_high - spread.arm_low > spread.high - spread.low
