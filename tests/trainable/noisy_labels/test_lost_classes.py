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


def test_a_class_is_lost_below_a_quarter_of_its_share():
    given = labels(100, 100, 100, 100)
    assert lost_classes(labels(100, 100, 176, 24), given, None, CLASSES) == [3]
    assert lost_classes(labels(100, 100, 175, 25), given, None, CLASSES) == []
    assert lost_classes(labels(0, 0, 400), given, None, CLASSES) == [0, 1, 3]


def test_a_rare_class_is_not_lost_because_noise_has_given_its_label_to_others():
    # 4.5 % of the samples are of class 3; symmetric noise of 80 % gives it 20.9 % of the labels.
    true = labels(31_834, 31_833, 31_833, 4500)
    noise = SymmetricNoise(rate=0.8)
    given = corrupt(true, CLASSES, noise, np.random.default_rng(0))
    assert np.mean(given == 3) > 0.19
    assert lost_classes(true, given, None, CLASSES) == [3]
    assert lost_classes(true, given, nominal_transition(noise, CLASSES), CLASSES) == []
    without = np.where(true == 3, 0, true)
    assert lost_classes(without, given, nominal_transition(noise, CLASSES), CLASSES) == [3]


def test_noise_that_leaves_nothing_of_the_labels_is_not_corrected():
    noise = SymmetricNoise(rate=1.0)
    given = labels(100, 100, 100, 100)
    assert lost_classes(given, given, nominal_transition(noise, CLASSES), CLASSES) == []


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
