"""Calibration by noisy labels: it finds the factor that the probabilities were flattened with."""

import numpy as np
import pytest

from analysis.audit.confidence import confidence_factor, scaled

CLASSES = 10


def table(factor: float, wrong: float, samples: int = 4000):
    """Validation samples whose predictions are surer, by `factor` in logits, than is said."""
    rng = np.random.default_rng(1)
    said = rng.uniform(0.3, 0.95, samples)
    predicted = rng.integers(0, CLASSES, samples)
    right = rng.random(samples) < scaled(said, factor)
    true = np.where(right, predicted, (predicted + 1) % CLASSES)
    shift = np.where(rng.random(samples) < wrong, rng.integers(1, CLASSES, samples), 0)
    return {
        "split": np.ones(samples, np.int8),
        "given": (true + shift) % CLASSES,
        "validation_probability": said[None],
        "validation_class": predicted[None],
    }


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("wrong", [0.0, 0.4])
def test_the_factor_is_found_through_wrong_labels(factor, wrong):
    found = confidence_factor([table(factor, wrong)], wrong, CLASSES)
    assert found == pytest.approx(factor, rel=0.2)


def test_few_labels_move_the_factor_little():
    few = confidence_factor([table(3.0, 0.4, 4)], 0.4, CLASSES)
    assert 1 / 2 < few < 2


def test_without_validation_samples_nothing_is_changed():
    assert confidence_factor([{"split": np.zeros(3, np.int8)}], 0.4, CLASSES) == 1
    assert scaled(np.array([0.2, 0.9]), 1.0) == pytest.approx([0.2, 0.9])
