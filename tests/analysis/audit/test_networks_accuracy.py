"""The accuracy of networks by noisy labels alone, on tables whose truth is known."""

import numpy as np
import pytest

from analysis.audit.networks_accuracy import NetworksAccuracy, networks_accuracy, solved_accuracy

CLASSES = 10
SAMPLES = 40_000


def predictions(part, hard=0.0, noise=0.2, clean_classes=0, memorised=0.0, seed=0):
    """Given labels and predictions of a part: 0 training, 1 validation.

    A share `hard` of the samples is hard: there, networks of a probability below 0.7 are right
    about half of the samples; they are sure and right about all others. Labels of the first
    `clean_classes` classes are right. Networks predict a share `memorised` of the wrong labels.
    """
    rng = np.random.default_rng(seed)
    true = rng.integers(0, CLASSES, SAMPLES)
    shift = rng.integers(1, CLASSES, SAMPLES)
    wrong = (rng.random(SAMPLES) < noise) & (true >= clean_classes)
    given = np.where(wrong, (true + shift) % CLASSES, true)
    unsure = rng.random(SAMPLES) < hard
    missed = unsure & (rng.random(SAMPLES) < 0.5)
    predicted = np.where(missed, (true + 1) % CLASSES, true)
    predicted = np.where(wrong & (rng.random(SAMPLES) < memorised), given, predicted)
    probability = np.where(unsure, rng.uniform(0.3, 0.7, SAMPLES), rng.uniform(0.7, 1, SAMPLES))
    prefix = "validation" if part else "ensemble"
    return {
        "split": np.full(SAMPLES, part),
        "given": given,
        f"{prefix}_class": predicted[None],
        f"{prefix}_probability": probability[None],
    }


def joined(training, validation):
    """One table of both parts."""
    return {
        **training,
        **validation,
        "split": np.concatenate([training["split"], validation["split"]]),
        "given": np.concatenate([training["given"], validation["given"]]),
    }


@pytest.mark.parametrize("accuracy", [0.4, 0.7, 1.0])
def test_the_accuracy_is_solved_from_the_share_that_agrees(accuracy):
    wrong = 0.3
    agreement = accuracy * (1 - wrong) + (1 - accuracy) * wrong / 9
    assert solved_accuracy(agreement, wrong, 10) == pytest.approx(accuracy)
    assert np.isnan(solved_accuracy(0.1, 0.9, 10)), "random labels say nothing"
    assert solved_accuracy(0.95, 0.3, 10) == 1


def test_a_division_that_calls_hard_samples_wrong_is_contradicted_by_the_surest_predictions():
    # Networks are right about 84 %; the division calls the 16 % that they miss wrong, too.
    found = networks_accuracy([predictions(0, hard=0.32)], 0.33, CLASSES)
    assert found.by_division > 0.98
    assert found.surely_wrong == pytest.approx(0.2, abs=0.01)
    assert found.least == pytest.approx(0.84, abs=0.015)
    assert not found.reaches(0.93)


def test_a_division_that_is_right_is_believed():
    found = networks_accuracy([predictions(0, hard=0.06)], 0.2, CLASSES)
    assert found.by_division == pytest.approx(0.97, abs=0.01)
    assert found.by_surest == pytest.approx(0.97, abs=0.015)
    assert found.reaches(0.93)


def test_classes_whose_labels_are_right_do_not_hide_the_wrong_ones_of_others():
    # The surest predictions of all classes would be those of the first three alone.
    table = predictions(0, noise=0.4, clean_classes=3)
    sure = table["ensemble_class"] < 3
    table["ensemble_probability"] = np.where(sure, 0.99, 0.8)
    found = networks_accuracy([table], 0.28, CLASSES)
    assert found.surely_wrong == pytest.approx(0.28, abs=0.01)


def test_many_validation_labels_take_the_place_of_memorised_training_labels():
    training = predictions(0, noise=0.4, memorised=0.5)
    alone = networks_accuracy([training], 0.4, CLASSES)
    both = networks_accuracy([joined(training, predictions(1, noise=0.4, seed=1))], 0.4, CLASSES)
    assert alone.agreement == pytest.approx(0.8, abs=0.01)
    assert both.agreement == pytest.approx(0.6, abs=0.01)
    assert both.surely_wrong == pytest.approx(0.4, abs=0.01)
    assert both.least == pytest.approx(1, abs=0.02)


def test_a_contradiction_within_its_standard_error_leaves_the_order_and_takes_the_number():
    near = NetworksAccuracy(0.7, 0.25, 0.22, by_division=0.95, by_surest=0.92, error=0.02)
    assert near.least == 0.92
    assert near.may_reach(0.93)
    assert not near.reaches(0.93)
    far = NetworksAccuracy(0.7, 0.25, 0.2, by_division=0.95, by_surest=0.9, error=0.02)
    assert not far.may_reach(0.93)
    other = NetworksAccuracy(0.7, 0.2, 0.25, by_division=0.92, by_surest=0.99, error=0.02)
    assert not other.may_reach(0.93)


def test_without_a_division_only_the_agreement_is_known():
    found = networks_accuracy([predictions(0)], None, CLASSES)
    assert found.agreement == pytest.approx(0.8, abs=0.01)
    assert np.isnan(found.least)
    assert not found.reaches(0.5)
