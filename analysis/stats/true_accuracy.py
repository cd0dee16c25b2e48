"""Accuracies and paired differences of arms whose test labels are unchecked, and their verdicts.

Two things allow a verdict: a random sample of the test labels that was checked (`checked_labels`),
or noise of a declared structure (`unchecked_labels`). Both give an interval for the mean over all
seeds that also has the error of the labels, and the verdict follows from it alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.results.predictions import Predictions
from analysis.results.study_plan import DeclaredNoise
from analysis.stats.attainable_p import ALPHA, CENTERS
from analysis.stats.checked_labels import CheckedLabels, Estimate, accuracy, difference
from analysis.stats.sequential import Verdict
from analysis.stats.unchecked_labels import (
    Corrected,
    Sensitivity,
    corrected_accuracy,
    corrected_difference,
    sensitivity,
    symmetric_factor,
    symmetric_transition,
    transition_draws,
)


@dataclass(frozen=True)
class Interval:
    """An accuracy in percent or a paired difference in points, for the mean over all seeds.

    Attributes:
        value: the estimate; NaN if no image that matters was checked.
        low, high: its interval; NaN with one seed.
        agreement: the same by the unchecked labels.
    """

    value: float
    low: float
    high: float
    agreement: float


Labels = CheckedLabels | np.ndarray
"""The labels of a random sample that was checked, or the transition matrix of declared noise; see
`declared_transition`."""


def family_confidence(arms: int) -> float:
    """Return the level of each interval for `arms` arms of a family (Bonferroni).

    The error of all verdicts on centers together is then that of a study with trusted labels.
    """
    return 1 - ALPHA * CENTERS / max(arms, 1)


def true_accuracy(
    predictions: Predictions, labels: Labels, arm: str, seeds: Sequence[int]
) -> Interval | None:
    """Estimate the accuracy of an arm with a 95 % interval; None without its predictions.

    Raises:
        ValueError: a transition matrix has no inverse.
    """
    own = predictions.of(arm, seeds)
    if own is None:
        return None
    if isinstance(labels, CheckedLabels):
        return _of_arm(accuracy(own, labels))
    return _of_arm(corrected_accuracy(own, predictions.labels, labels))


def true_difference(
    predictions: Predictions, labels: Labels, arm: str, seeds: Sequence[int], confidence: float
) -> Interval | None:
    """Estimate the difference of an arm to the baseline; None without their predictions.

    Raises:
        ValueError: a transition matrix has no inverse.
    """
    both = predictions.pair(arm, seeds)
    if both is None:
        return None
    if isinstance(labels, CheckedLabels):
        return _of_arm(difference(*both, labels, confidence))
    return _of_arm(corrected_difference(*both, predictions.labels, labels, confidence))


def _of_arm(found: Estimate | Corrected) -> Interval:
    """Return the interval for the mean over all seeds."""
    return Interval(found.value, found.arm_low, found.arm_high, found.unchecked)


def declared_transition(noise: DeclaredNoise, classes: int) -> np.ndarray:
    """Return the transition matrix of declared noise, or draws of it if counts estimate it.

    Raises:
        ValueError: labels with this noise tell nothing, or the counts are of other classes.
    """
    if not isinstance(noise, list):
        symmetric_factor(noise, classes)
        return symmetric_transition(noise, classes)
    if len(noise) != classes:
        raise ValueError(f"there are {len(noise)} rows, and the data have {classes} classes")
    draws = transition_draws(np.array(noise))
    if np.linalg.matrix_rank(draws.mean(axis=0)) < classes:
        raise ValueError("by the counts, labels do not tell the classes apart")
    return draws


def verdict_of(interval: Interval, margin: float, by_failures: str = "") -> Verdict | str:
    """Return the verdict of an interval.

    Args:
        interval: of the difference; without ends it decides nothing.
        margin: equivalence margin in points of accuracy.
        by_failures: `worse by failures` or `better by failures` if the failures have decided.
    """
    if interval.low > 0:
        return "better"
    if interval.high < 0:
        return "worse"
    if by_failures:
        return by_failures
    if interval.low > -margin and interval.high < margin:
        return "equivalent"
    return "inconclusive"


def sensitivity_of(
    predictions: Predictions, arm: str, seeds: Sequence[int], low: float, high: float
) -> Sensitivity | None:
    """Return how many wrong labels could overturn a difference of agreement.

    Args:
        predictions: of the setting.
        arm, seeds: whose difference to the baseline.
        low, high: its interval in points of agreement.
    """
    both = predictions.pair(arm, seeds)
    if both is None:
        return None
    holds_zero = not (low > 0 or high < 0)
    near_end = 0.0 if holds_zero else float(np.min(np.abs([low, high])))
    return sensitivity(*both, predictions.labels, near_end)
