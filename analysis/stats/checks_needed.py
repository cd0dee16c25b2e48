"""How many test labels must be checked to find a difference, and when more checks do not pay."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.stats.checked_labels import agreement, differing

INFINITE = float("inf")

CHANCE = 0.8
"""Power: chance of finding the difference."""
GAIN = 0.1
"""Checks that could narrow the interval by less than this share of it do not pay."""


@dataclass(frozen=True)
class Checks:
    """What the number of checks depends on, for a difference of two arms.

    Attributes:
        images: size of the test set.
        differ: share of images on which any pair of networks differs, 0 to 1.
        image_sd: standard deviation over images of what an image adds to the difference, points.
        correlation: of this by unchecked labels and by checked ones, 0 to 1.
        seed_error: standard error that is due to seeds, points; 0 for statements about the trained
            networks.
    """

    images: int
    differ: float
    image_sd: float
    correlation: float = 0.0
    seed_error: float = 0.0

    def half_width(self, checked: int) -> float:
        """Return half the width of the 95 % interval in points, by the normal approximation."""
        by_sample = self._per_check * (1 / checked - 1 / self.images)
        return float(stats.norm.ppf(0.975) * np.sqrt(by_sample + self.seed_error**2))

    def to_find(self, points: float) -> float:
        """Return the number of random checks that find a difference with a chance of 80 %.

        It is inf if all checks together would not, because of the seeds. About `differ` of the
        checks are on images that matter; chosen among these, that share of them is enough.
        """
        quantiles = stats.norm.ppf(0.975) + stats.norm.ppf(CHANCE)
        allowed = (points / quantiles) ** 2 - self.seed_error**2
        if allowed <= 0:
            return INFINITE
        return self._until(allowed)

    def worth_doing(self) -> float:
        """Return after how many random checks the rest would narrow the interval by 10 % at most.

        It is all images if the seeds add no error.
        """
        return self._until(((1 - GAIN) ** -2 - 1) * self.seed_error**2)

    @property
    def _per_check(self) -> float:
        """Variance of one check, squared points."""
        return self.image_sd**2 * (1 - self.correlation**2)

    def _until(self, variance: float) -> float:
        """Return the number of checks with this variance of the mean."""
        if not self._per_check:
            return 0.0
        return float(np.ceil(1 / (1 / self.images + variance / self._per_check)))


def checks_before(
    arm: np.ndarray, baseline: np.ndarray, unchecked: np.ndarray, of_arm: bool = True
) -> Checks:
    """Describe two arms before any label is checked, on the safe side.

    Every image on which two networks differ is taken to decide for one of them, and the unchecked
    labels to be no help. The error that is due to seeds is that of agreement with unchecked labels.

    Args:
        arm, baseline: (seeds, N) or (seeds, epochs, N) classes each, of the same seeds.
        unchecked: (N,) labels.
        of_arm: False: for statements about the trained networks.
    """
    differ = differing(arm, baseline)
    seed_error = 0.0
    if of_arm and len(arm) > 1:
        by_seed = (agreement(arm, unchecked) - agreement(baseline, unchecked)).mean(axis=1)
        seed_error = 100 * float(by_seed.std(ddof=1) / np.sqrt(len(arm)))
    return Checks(
        images=len(unchecked),
        differ=float((differ > 0).mean()),
        image_sd=100 * float(np.sqrt((differ**2).mean())),
        seed_error=seed_error,
    )
