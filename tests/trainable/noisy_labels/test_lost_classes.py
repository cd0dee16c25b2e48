"""Classes that an ensemble hardly predicts any more."""

import numpy as np
import pytest

from trainable.config.data import (
    AsymmetricNoise,
    InstanceNoise,
    NoNoise,
    PairNoise,
    SymmetricNoise,
)
from trainable.data.noise import corrupt, nominal_transition, transition
from trainable.noisy_labels.lost_classes import lost_classes

CLASSES = 4


def labels(*counts: int) -> np.ndarray:
    return np.repeat(np.arange(len(counts)), counts)


def lost(predicted: np.ndarray, given: np.ndarray, transition=None, tested=None) -> list[int]:
    """Lost classes; the test labels have the shares of the training labels unless given."""
    tested = given if tested is None else tested
    return lost_classes(predicted, tested, given, transition, CLASSES)


def test_a_class_is_lost_below_a_quarter_of_its_share():
    given = labels(100, 100, 100, 100)
    assert lost(labels(100, 100, 176, 24), given) == [3]
    assert lost(labels(100, 100, 175, 25), given) == []
    assert lost(labels(0, 0, 400), given) == [0, 1, 3]


def test_a_rare_class_is_not_lost_because_noise_has_given_its_label_to_others():
    # 4.5 % of the samples are of class 3; symmetric noise of 80 % gives it 20.9 % of the labels.
    true = labels(31_834, 31_833, 31_833, 4500)
    noise = SymmetricNoise(rate=0.8)
    given = corrupt(true, CLASSES, noise, np.random.default_rng(0))
    assert np.mean(given == 3) > 0.19
    assert lost(true, given) == [3]
    assert lost(true, given, nominal_transition(noise, CLASSES)) == []
    without = np.where(true == 3, 0, true)
    assert lost(without, given, nominal_transition(noise, CLASSES)) == [3]


def test_a_class_that_is_rare_in_one_of_the_sets_counts_with_the_smaller_share():
    even, uneven = labels(100, 100, 100, 100), labels(190, 100, 100, 10)
    assert lost(uneven, given=even, tested=uneven) == []
    assert lost(uneven, given=uneven, tested=even) == []
    assert lost(uneven, given=even, tested=even) == [3]


def test_noise_that_leaves_nothing_of_the_labels_is_not_corrected():
    noise = SymmetricNoise(rate=1.0)
    given = labels(100, 100, 100, 100)
    assert lost(given, given, nominal_transition(noise, CLASSES)) == []


NOISES = [
    NoNoise(),
    SymmetricNoise(rate=0.5),
    SymmetricNoise(rate=0.5, include_true=False),
    PairNoise(rate=0.3),
    AsymmetricNoise(rate=0.4, map=[0, 2, 2, 1]),
]


@pytest.mark.parametrize("noise", NOISES, ids=lambda noise: repr(noise)[:40])
def test_the_nominal_transition_is_that_of_many_samples(noise):
    true = labels(20_000, 20_000, 20_000, 20_000)
    given = corrupt(true, CLASSES, noise, np.random.default_rng(1))
    nominal = nominal_transition(noise, CLASSES)
    assert nominal is not None
    assert nominal == pytest.approx(transition(true, given, CLASSES), abs=0.02)
    assert nominal.sum(axis=1) == pytest.approx(np.ones(CLASSES))


def test_noise_that_depends_on_the_sample_has_no_nominal_transition():
    assert nominal_transition(InstanceNoise(rate=0.3), CLASSES) is None
