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
    """What each image that matters adds to a sum.

    Attributes:
        guessed: (seeds, images) values by the unchecked labels.
        rows: (n,) positions of the checked images.
        found: (seeds, n) values by their checked labels.
        most: (images,) greatest value that the predictions allow, above 0.
        least: least value, as a multiple of the greatest: 0 or −1.
    """

    guessed: np.ndarray
    rows: np.ndarray
    found: np.ndarray
    most: np.ndarray
    least: float


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
        most=np.ones(len(labels.unchecked)),
        least=0,
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
        return Estimate(
            value=0,
            low=0,
            high=0,
            arm_low=0,
            arm_high=0,
            seed_sd=0,
            unchecked=0,
            weight=0,
            images=0,
            checked=0,
        )
    counted = differ[labels.rows] > 0
    rows = labels.rows[counted]
    values = Values(
        guessed=_paired(arm[..., matter], baseline[..., matter], labels.unchecked[matter]),
        rows=np.searchsorted(matter, rows),
        found=_paired(arm[..., rows], baseline[..., rows], labels.found[counted]),
        most=differ[matter],
        least=-1,
    )
    return _estimate(values, 100 * float(differ.mean()), confidence, tuned)


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


@dataclass(frozen=True)
class _Fit:
    """Estimates from the checked images, as shares of the greatest possible sum.

    Attributes:
        of_seeds: (seeds,) estimates.
        alone: mean over seeds by the checked labels alone.
        residuals: (seeds, n) what the unchecked labels do not tell about the checked images.
        weight: tuned weight λ of the unchecked labels, 0 to 1.
        doubt: what the images that are added to the sample add to the sum of squared residuals.
    """

    of_seeds: np.ndarray
    alone: float
    residuals: np.ndarray
    weight: float
    doubt: float


def _estimate(values: Values, unit: float, confidence: float, tuned: bool) -> Estimate:
    """Estimate the sum of values, as a share of the greatest possible one.

    `unit` is the greatest possible mean over the test set, in percent or points.
    """
    images = len(values.most)
    checked = len(values.rows)
    everywhere = values.guessed.sum(axis=1) / values.most.sum()
    unchecked = unit * float(everywhere.mean())
    if not checked:
        return Estimate(
            value=NAN,
            low=unit * values.least,
            high=unit,
            arm_low=NAN,
            arm_high=NAN,
            seed_sd=NAN,
            unchecked=unchecked,
            weight=0,
            images=images,
            checked=0,
        )

    fit = _fit(values, everywhere, tuned)
    value = float(fit.of_seeds.mean())
    most = values.most[values.rows]
    left = 1 - checked / images
    squares = float((fit.residuals.mean(axis=0) ** 2).sum())
    squares_of_seeds = float((fit.residuals**2).sum(axis=1).mean())
    low, high = _network_interval(
        value=value,
        alone=fit.alone,
        squares=squares + fit.doubt,
        most=most,
        left=left,
        least=values.least,
        confidence=confidence,
    )
    arm_low, arm_high, seed_sd = arm_interval(
        fit.of_seeds,
        (low, high),
        own=left * squares_of_seeds / most.sum() ** 2,
        common=left * squares / most.sum() ** 2,
        confidence=confidence,
    )
    return Estimate(
        value=unit * value,
        low=unit * low,
        high=unit * high,
        arm_low=unit * arm_low,
        arm_high=unit * arm_high,
        seed_sd=unit * seed_sd,
        unchecked=unchecked,
        weight=fit.weight,
        images=images,
        checked=checked,
    )


def _fit(values: Values, everywhere: np.ndarray, tuned: bool) -> _Fit:
    """Estimate the shares of the seeds: θ = ȳ − λ (f̄ − F̄), with the weight λ of PPI++.

    ȳ and f̄ are the shares of the checked images by their checked and unchecked labels, F̄ is
    `everywhere`, (seeds,), that of all images by the unchecked ones (Angelopoulos, Duchi and Zrnic,
    2023). The share of a sample is its sum of values over its sum of greatest values (ratio
    estimator, Cochran, chapter 6): where predictions differ on few seeds, an image cannot change
    much, and that is known.
    """
    most = values.most[values.rows]
    guessed = values.guessed[:, values.rows]
    shares_found = values.found.sum(axis=1) / most.sum()
    shares_guessed = guessed.sum(axis=1) / most.sum()
    from_found = values.found - shares_found[:, None] * most
    from_guessed = guessed - shares_guessed[:, None] * most

    doubts = DOUBTS * float((values.most**2).mean())
    weight = 0.0
    # The share of the checked images is one fitted number, the weight a second one.
    leverage = most**2 / (most @ most)
    if tuned:
        mean_guessed = from_guessed.mean(axis=0)
        weight = tuned_weight(mean_guessed, from_found.mean(axis=0), doubts)
        squares = mean_guessed**2
        leverage = leverage + squares / (squares.sum() + doubts)
    return _Fit(
        of_seeds=shares_found - weight * (shares_guessed - everywhere),
        alone=float(shares_found.mean()),
        residuals=_leave_one_out(from_found - weight * from_guessed, leverage),
        weight=weight,
        doubt=doubts * weight**2,
    )


def _leave_one_out(residuals: np.ndarray, leverage: np.ndarray) -> np.ndarray:
    """Return residuals (seeds, n) as if each image had been predicted without itself (jackknife).

    r / (1 − h), with the leverage h (n,) of the images; a residual is doubled at most.
    """
    without_itself: np.ndarray = residuals / np.maximum(1 - leverage, 0.5)
    return without_itself


def tuned_weight(guessed: np.ndarray, found: np.ndarray, doubts: float) -> float:
    """Return the weight that makes the variance smallest: λ = cov(found, guessed) / var(guessed).

    PPI++ divides by (1 + n/N) var(guessed), because its N images are another sample; here they are
    the whole set. The weight is clipped to 0 to 1.

    Args:
        guessed, found: (n,) deviations of the checked images.
        doubts: sum of squares of images on which the guess is far off and the truth is average.
    """
    return float(np.clip(guessed @ found / (guessed @ guessed + doubts), 0, 1))


def _network_interval(
    value: float,
    alone: float,
    squares: float,
    most: np.ndarray,
    left: float,
    least: float,
    confidence: float,
) -> tuple[float, float]:
    """Return the score interval of a share of the greatest possible sum.

    Args:
        value, alone: estimates with and without the unchecked labels.
        squares: sum of squares of the residuals.
        most: (n,) greatest values of the checked images.
        left: share of the images that were not checked.
        least: least possible share.
        confidence: level of the interval.
    """
    if not left:
        return value, value
    width = 1 - least
    at = float(np.clip((value - least) / width, 0, 1))
    at_alone = float(np.clip((alone - least) / width, 0, 1))
    plain = PLAIN * float((most**2).mean())
    of_share = float(most @ most) * at_alone * (1 - at_alone)
    variance = (squares / width**2 + plain) / (of_share + plain)
    # Number of images with equal greatest values that would tell as much.
    equal = float(most.sum() ** 2 / (most @ most))
    low, high = score_interval(at, equal / (variance * left), confidence)
    return least + width * low, least + width * high


def score_interval(share: float, n: float, confidence: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval of a share, 0 to 1, that was found in n images (with fractions)."""
    z = stats.norm.ppf((1 + confidence) / 2)
    middle = share + z**2 / (2 * n)
    half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    whole = 1 + z**2 / n
    return float((middle - half) / whole), float((middle + half) / whole)
