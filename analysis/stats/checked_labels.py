"""Accuracy and paired differences where only a random sample of the test labels was checked.

The test set has N images with unchecked labels, any of which may be wrong in any way. Of these, n
images were drawn at random, without replacement, and their labels were checked. Agreement with
unchecked labels is known for all images; the sample tells how far it is from the truth, and
corrects it: prediction-powered inference (Angelopoulos et al., Science 382, 2023) with a tuned
weight (PPI++, Angelopoulos, Duchi and Zrnic, 2023). For a finite set it is the regression estimator
of survey sampling (Cochran, Sampling Techniques, 1977, chapter 7). Nothing is assumed about which
labels are wrong.

The intervals are score intervals (Wilson, 1927) with the number of images that would tell as much
without the unchecked labels (Korn and Graubard, Survey Methodology 24, 1998). With few checked
images, or few that matter, the normal approximation is too narrow.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.stats.arm_interval import arm_interval

NAN = float("nan")

NO_CLASS = -1
"""Checked label of an image that shows none of the classes or cannot be used.

Every prediction for it counts as wrong. It changes no difference, and N stays as it is.
"""
DOUBTS = 2
"""Number of images that are added to the sample, where the unchecked labels are as wrong as can be.

Without them, a sample that by chance has no wrong label would give an interval of no width. They
are also what keeps the tuned weight small in a small sample.
"""
PLAIN = 1 / 4
"""Largest variance of a share, of one image for which the unchecked labels are no help."""


@dataclass(frozen=True)
class CheckedLabels:
    """Labels of a test set of N images, of which n were checked.

    Attributes:
        unchecked: (N,) labels.
        rows: (n,) positions of the checked images, drawn at random without replacement.
        found: (n,) what the checks found: labels, or `NO_CLASS`.

    Raises:
        ValueError: a position is not in the test set, or is there more than once.
    """

    unchecked: np.ndarray
    rows: np.ndarray
    found: np.ndarray

    def __post_init__(self) -> None:
        size = len(self.unchecked)
        if len(self.rows) != len(self.found):
            raise ValueError(f"{len(self.rows)} checked images have {len(self.found)} labels")
        outside = self.rows[(self.rows < 0) | (self.rows >= size)]
        if len(outside):
            raise ValueError(f"checked image {outside[0]} is not one of the {size} test images")
        positions, times = np.unique(self.rows, return_counts=True)
        if (times > 1).any():
            raise ValueError(f"image {positions[times > 1][0]} has more than one checked label")


@dataclass(frozen=True)
class Estimate:
    """An accuracy in percent or a paired difference in points, with two intervals.

    Attributes:
        value: the estimate; NaN if no image that matters was checked.
        low, high: interval for the mean of these trained networks on these N images.
        arm_low, arm_high: interval for the mean over all seeds, for statements about an arm; NaN
            with one seed.
        seed_sd: standard deviation over seeds, without what the sample adds; NaN with one seed.
        unchecked: the same by the unchecked labels alone.
        weight: tuned weight of the unchecked labels, 0 to 1.
        images: number of images that matter: all, or those on which predictions differ.
        checked: number of checked ones among them.
    """

    value: float
    low: float
    high: float
    arm_low: float
    arm_high: float
    seed_sd: float
    unchecked: float
    weight: float
    images: int
    checked: int


@dataclass(frozen=True)
class Values:
    """What each image adds to a mean.

    Attributes:
        guessed: (seeds, images) values by the unchecked labels.
        rows: (n,) positions of the checked images.
        found: (seeds, n) values by their checked labels.
        low, high: least and greatest mean that the predictions allow.
        square: mean square of an image's greatest possible value.
    """

    guessed: np.ndarray
    rows: np.ndarray
    found: np.ndarray
    low: float
    high: float
    square: float


def accuracy(
    predictions: np.ndarray, labels: CheckedLabels, confidence: float = 0.95, tuned: bool = True
) -> Estimate:
    """Estimate the accuracy of an arm.

    Args:
        predictions: (seeds, N) or (seeds, epochs, N) classes; epochs are averaged.
        labels: the labels of the N images.
        confidence: level of both intervals.
        tuned: whether the unchecked labels are used; False: checking alone.
    """
    values = Values(
        guessed=agreement(predictions, labels.unchecked),
        rows=labels.rows,
        found=agreement(predictions[..., labels.rows], labels.found),
        low=0,
        high=1,
        square=1,
    )
    return _estimate(values, 100, confidence, tuned)


def difference(
    arm: np.ndarray,
    baseline: np.ndarray,
    labels: CheckedLabels,
    confidence: float = 0.95,
    tuned: bool = True,
) -> Estimate:
    """Estimate the paired difference of two arms, arm − baseline.

    An image on which both predict the same for every seed and epoch adds 0, whatever its label is.
    Only the other images matter, and the checked ones among them are a random sample of these.
    Further images may be checked on purpose, if they are drawn at random from those that matter.

    Args:
        arm, baseline: (seeds, N) or (seeds, epochs, N) classes each, of the same seeds.
        labels: the labels of the N images.
        confidence: level of both intervals.
        tuned: whether the unchecked labels are used; False: checking alone.
    """
    differ = differing(arm, baseline)
    matter = np.flatnonzero(differ)
    if not len(matter):
        return Estimate(0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
    counted = differ[labels.rows] > 0
    rows = labels.rows[counted]
    most = float(differ[matter].mean())
    values = Values(
        guessed=_paired(arm[..., matter], baseline[..., matter], labels.unchecked[matter]),
        rows=np.searchsorted(matter, rows),
        found=_paired(arm[..., rows], baseline[..., rows], labels.found[counted]),
        low=-most,
        high=most,
        square=float((differ[matter] ** 2).mean()),
    )
    return _estimate(values, 100 * len(matter) / len(differ), confidence, tuned)


def agreement(predictions: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Return the share of epochs that agree with labels (n,): (seeds, [epochs,] n) → (seeds, n)."""
    equal: np.ndarray = predictions == labels
    if equal.ndim == 2:
        return equal.astype(float)
    shares: np.ndarray = equal.mean(axis=1)
    return shares


def differing(arm: np.ndarray, baseline: np.ndarray) -> np.ndarray:
    """Return on which share of seeds and epochs predictions differ, for each image: (N,)."""
    unlike = arm != baseline
    shares: np.ndarray = unlike.mean(axis=tuple(range(unlike.ndim - 1)))
    return shares


def _paired(arm: np.ndarray, baseline: np.ndarray, labels: np.ndarray) -> np.ndarray:
    values: np.ndarray = agreement(arm, labels) - agreement(baseline, labels)
    return values


def _estimate(values: Values, unit: float, confidence: float, tuned: bool) -> Estimate:
    """Estimate the mean over seeds and images; `unit`: percent or points of a mean of 1."""
    images = values.guessed.shape[1]
    checked = len(values.rows)
    unchecked = unit * float(values.guessed.mean())
    if not checked:
        ends = (unit * values.low, unit * values.high)
        return Estimate(NAN, *ends, NAN, NAN, NAN, unchecked, 0, images, 0)
    weight = 0.0
    if tuned:
        weight = tuned_weight(values)
    means = values.guessed.mean(axis=1, keepdims=True)
    corrected = values.found - weight * (values.guessed[:, values.rows] - means)
    of_seeds = corrected.mean(axis=1)
    low, high = _network_interval(values, corrected.mean(axis=0), weight, confidence)
    left = (1 - checked / images) / max(checked - 1, 1)
    arm_low, arm_high, seed_sd = arm_interval(
        of_seeds,
        (low, high),
        own=left * float(corrected.var(axis=1).mean()),
        common=left * float(corrected.mean(axis=0).var()),
        confidence=confidence,
    )
    return Estimate(
        value=unit * float(of_seeds.mean()),
        low=unit * low,
        high=unit * high,
        arm_low=unit * arm_low,
        arm_high=unit * arm_high,
        seed_sd=unit * seed_sd,
        unchecked=unchecked,
        weight=weight,
        images=images,
        checked=checked,
    )


def tuned_weight(values: Values) -> float:
    """Return the weight that makes the variance smallest: cov(found, guessed) / var(guessed).

    `DOUBTS` images are added on which the guess is far off and the truth is average.
    """
    guessed = values.guessed[:, values.rows].mean(axis=0)
    found = values.found.mean(axis=0)
    deviations = guessed - guessed.mean()
    squares = deviations @ deviations + DOUBTS * values.square
    return float(np.clip(deviations @ (found - found.mean()) / squares, 0, 1))


def _network_interval(
    values: Values, corrected: np.ndarray, weight: float, confidence: float
) -> tuple[float, float]:
    """Return the score interval of the mean of corrected values (n,)."""
    checked = len(corrected)
    value = float(corrected.mean())
    left = 1 - checked / values.guessed.shape[1]
    if not left:
        return value, value
    squares = checked * corrected.var() + DOUBTS * values.square * weight**2
    # Now as a share of the way from the least to the greatest possible mean.
    width = values.high - values.low
    alone = float(np.clip((values.found.mean() - values.low) / width, 0, 1))
    variance = (squares / width**2 + PLAIN) / (checked * alone * (1 - alone) + PLAIN)
    share = float(np.clip((value - values.low) / width, 0, 1))
    low, high = score_interval(share, checked / (variance * left), confidence)
    return values.low + width * low, values.low + width * high


def score_interval(share: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval of a share, 0 to 1, that was found in n images (with fractions)."""
    z = stats.norm.ppf((1 + confidence) / 2)
    middle = share + z**2 / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    whole = 1 + z**2 / n
    return float((middle - half) / whole), float((middle + half) / whole)
