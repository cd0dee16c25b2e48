"""What agreement with unchecked test labels says of accuracy, if their noise has a known structure.

Under class-dependent noise the unchecked label u of an image of class y is drawn by row y of a
transition matrix T, P(u | y). For any values v, one for each class that the image may have, the
vector T⁻¹v has at u the expected value v(y) (backward correction: Natarajan et al., NeurIPS 2013;
Patrini et al., CVPR 2017). An accuracy is a mean of such values, v = 1 for the predicted class, and
so is a paired difference. Shares of classes are not needed. The labels are drawn once, and more
seeds do not make that error smaller, so it is part of the interval.

Under noise that depends on images there is no such correction. Then `sensitivity` says how many
wrong labels would be enough to overturn a difference.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.stats.arm_interval import arm_interval

DRAWS = 200
"""Number of transition matrices that are drawn where T is estimated from counts."""
ROUNDING = 1e-9
"""Sums of changes that are closer than this differ by rounding only."""


@dataclass(frozen=True)
class Corrected:
    """An accuracy in percent or a paired difference in points, corrected by a transition matrix.

    Attributes:
        value: the corrected value.
        low, high: interval for the mean of these trained networks on these images. It has the error
            of the drawn labels and of the transition matrix.
        arm_low, arm_high: interval for the mean over all seeds; NaN with one seed.
        unchecked: the value by the unchecked labels.
    """

    value: float
    low: float
    high: float
    arm_low: float
    arm_high: float
    unchecked: float


@dataclass(frozen=True)
class Sensitivity:
    """Shares of the test images, percent, whose labels would have to be wrong in the worst way.

    Attributes:
        sign: to make the mean difference 0.
        interval: to move the near end of its interval to 0; 0 if the interval holds 0.
    """

    sign: float
    interval: float


# --- symmetric noise ---


def symmetric_factor(rate: float, classes: int) -> float:
    """Return by which factor differences of accuracies shrink: 1 − rate − rate / (classes − 1).

    A label is kept with a probability of 1 − rate, and is each other class with one of
    rate / (classes − 1). A right prediction agrees with it with the first probability, a wrong one
    with the second. Of an accuracy a, agreement is expected to be
    a (1 − rate) + (1 − a) rate / (classes − 1), which is linear in a with this slope. Signs stay,
    and a margin in points of accuracy is this factor times as large in points of agreement.

    Args:
        rate: share of wrong labels, 0 to 1.
        classes: number of classes.

    Raises:
        ValueError: labels with this much noise tell nothing of the true ones.
    """
    factor = 1 - rate - rate / (classes - 1)
    if factor <= 0:
        raise ValueError(
            f"with {100 * rate:g} % symmetric noise of {classes} classes, labels tell nothing"
        )
    return factor


def symmetric_transition(rate: float, classes: int) -> np.ndarray:
    """Return the transition matrix (classes, classes) of symmetric noise."""
    same = np.eye(classes)
    matrix: np.ndarray = (1 - rate) * same + rate * (1 - same) / (classes - 1)
    return matrix


# --- class-dependent noise ---


def transition_draws(counts: np.ndarray) -> np.ndarray:
    """Return transition matrices that fit the counts: (classes, classes) → (DRAWS, …).

    Each row is drawn from its posterior distribution under a Dirichlet prior that is worth one
    label.

    Args:
        counts: numbers of labels by true class (rows) and unchecked class (columns).
    """
    rng = np.random.default_rng(0)
    classes = len(counts)
    rows = [rng.dirichlet(row + 1 / classes, DRAWS) for row in counts]
    return np.stack(rows, axis=1)


def corrected_accuracy(
    predictions: np.ndarray,
    unchecked: np.ndarray,
    transitions: np.ndarray,
    confidence: float = 0.95,
) -> Corrected:
    """Correct the accuracy of an arm.

    Args:
        predictions: (seeds, N) or (seeds, epochs, N) classes; epochs are averaged.
        unchecked: (N,) labels.
        transitions: (classes, classes) P(unchecked | true), a row for each true class; or draws of
            it, (draws, classes, classes), whose spread is its uncertainty.
        confidence: level of both intervals.

    Raises:
        ValueError: a matrix has no inverse.
    """
    classes = transitions.shape[-1]
    votes = [_votes(of_seed, classes) for of_seed in predictions]
    return _corrected(np.stack(votes), unchecked, transitions, confidence)


def corrected_difference(
    arm: np.ndarray,
    baseline: np.ndarray,
    unchecked: np.ndarray,
    transitions: np.ndarray,
    confidence: float = 0.95,
) -> Corrected:
    """Correct the paired difference of two arms, arm − baseline.

    Args:
        arm, baseline: (seeds, N) or (seeds, epochs, N) classes each, of the same seeds.
        unchecked, transitions, confidence: see `corrected_accuracy`.

    Raises:
        ValueError: a matrix has no inverse.
    """
    classes = transitions.shape[-1]
    votes = [
        _votes(of_arm, classes) - _votes(of_baseline, classes)
        for of_arm, of_baseline in zip(arm, baseline, strict=True)
    ]
    return _corrected(np.stack(votes), unchecked, transitions, confidence)


def _votes(predictions: np.ndarray, classes: int) -> np.ndarray:
    """Return the share of epochs in which each class is predicted: ([epochs,] N) → (N, classes)."""
    by_epoch = np.atleast_2d(predictions)
    votes = np.zeros((by_epoch.shape[1], classes))
    rows = np.arange(len(votes))
    for predicted in by_epoch:
        votes[rows, predicted] += 1 / len(by_epoch)
    return votes


def _corrected(
    votes: np.ndarray, unchecked: np.ndarray, transitions: np.ndarray, confidence: float
) -> Corrected:
    """Correct the mean over seeds of the values (seeds, N, classes) of each possible class."""
    draws = transitions.reshape(-1, *transitions.shape[-2:])
    try:
        typical = np.linalg.inv(draws.mean(axis=0))
        inverses = np.linalg.inv(draws)
    except np.linalg.LinAlgError:
        raise ValueError("the transition matrix has no inverse: labels do not tell") from None
    images = len(unchecked)
    # Σ over images of T⁻¹v at u needs only the sums of v over the images with each label.
    sums = np.zeros((len(votes), *draws.shape[1:]))
    for of_label, of_seed in zip(sums, votes, strict=True):
        np.add.at(of_label, unchecked, of_seed)
    of_seeds = np.einsum("uy,suy->s", typical, sums) / images
    value = float(of_seeds.mean())
    common = _label_variance(votes.mean(axis=0), unchecked, typical)
    own = float(np.mean([_label_variance(of_seed, unchecked, typical) for of_seed in votes]))
    tail = (1 - confidence) / 2
    half = stats.norm.ppf(1 - tail) * np.sqrt(common)
    # Quantiles, because a draw with nearly no inverse gives any number.
    by_draw = np.einsum("kuy,uy->k", inverses, sums.mean(axis=0)) / images
    by_draw_low, by_draw_high = np.quantile(by_draw, [tail, 1 - tail])
    low = value - float(np.hypot(half, min(by_draw_low - value, 0)))
    high = value + float(np.hypot(half, max(by_draw_high - value, 0)))
    arm_low, arm_high, _ = arm_interval(of_seeds, (low, high), own, common, confidence)
    agreed = votes.mean(axis=0)[np.arange(images), unchecked].mean()
    return Corrected(
        value=100 * value,
        low=100 * low,
        high=100 * high,
        arm_low=100 * arm_low,
        arm_high=100 * arm_high,
        unchecked=100 * float(agreed),
    )


def _label_variance(votes: np.ndarray, unchecked: np.ndarray, inverse: np.ndarray) -> float:
    """Return the variance of the corrected mean that is due to the draw of the labels.

    Of an image it is E[(T⁻¹v)(u)²] − v(y)². The labels estimate both without bias, the second as
    (T⁻¹v²)(u).

    Args:
        votes: (N, classes) values v.
        unchecked: (N,) labels u.
        inverse: (classes, classes) T⁻¹.
    """
    of_label = inverse[unchecked]
    values = np.einsum("nc,nc->n", of_label, votes)
    squares = np.einsum("nc,nc->n", of_label, votes**2)
    return float(max((values**2 - squares).sum(), 0) / len(unchecked) ** 2)


# --- any noise ---


def sensitivity(
    arm: np.ndarray, baseline: np.ndarray, unchecked: np.ndarray, near_end: float
) -> Sensitivity:
    """Return the least share of wrong labels that could overturn a difference.

    Another label changes what an image adds to the difference: with one pair of networks by at most
    2 / N, if it was the arm's prediction and becomes the baseline's, by 1 / N if it becomes a third
    class or was one, and not at all where both predict the same. For several seeds and epochs it is
    the mean of these. The images are taken in the order of the greatest change, so that no smaller
    number could do it. For the end of the interval its width is taken as it is.

    Args:
        arm, baseline: (seeds, N) or (seeds, epochs, N) classes each, of the same seeds.
        unchecked: (N,) labels.
        near_end: the end of the difference's interval that is nearer to 0, in points; 0 if it holds
            0.
    """
    classes = 1 + int(max(arm.max(), baseline.max(), unchecked.max()))
    images = len(unchecked)
    values = _votes(arm.reshape(-1, images), classes) - _votes(
        baseline.reshape(-1, images), classes
    )
    now = values[np.arange(images), unchecked]
    if now.sum() < 0:
        values = -values
        now = -now
    changes = np.sort(now - values.min(axis=1))[::-1]
    reached = np.cumsum(changes)
    return Sensitivity(
        sign=_least_share(reached, float(now.sum())),
        interval=_least_share(reached, abs(near_end) / 100 * images),
    )


def _least_share(reached: np.ndarray, needed: float) -> float:
    """Return how many of the greatest changes add up to what is needed, percent of the images."""
    if needed <= ROUNDING:
        return 0.0
    return 100 * float(np.searchsorted(reached, needed - ROUNDING) + 1) / len(reached)
