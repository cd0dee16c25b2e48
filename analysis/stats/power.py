"""How many seeds a comparison needs: power of the t test, differences to detect, equivalence."""

from collections.abc import Callable

import numpy as np
from scipy import stats

from analysis.stats.attainable_p import ALPHA, smallest_p

MOST_SEEDS = 10_000
"""Beyond so many, the seeds that a comparison would need are not counted."""


def power(effect: float, n: int, alpha: float = ALPHA) -> float:
    """Chance that a two-sided paired t test of n pairs finds an effect (mean over sd).

    By the noncentral F of t²: scipy's noncentral t is NaN far out in its tails.
    """
    if not effect:  # scipy's noncentral F is wrong without noncentrality
        return alpha
    return float(stats.ncf.sf(stats.t.ppf(1 - alpha / 2, n - 1) ** 2, 1, n - 1, n * effect**2))


def seeds_to_detect(effect: float, comparisons: int = 1, chance: float = 0.8) -> float:
    """Seeds that find an effect of this size with this chance among so many comparisons; inf for no effect.

    The t test's power at ALPHA / comparisons (Holm's worst case), and never fewer than the exact test needs.
    """
    if np.isnan(effect):
        return float("nan")

    def enough(n: int) -> bool:
        return (
            smallest_p(comparisons, n) <= ALPHA and power(effect, n, ALPHA / comparisons) >= chance
        )

    return _fewest(enough) if effect else float("inf")


def seeds_for_equivalence(mean: float, sd: float, margin: float, confidence: float = 0.95) -> float:
    """Seeds with which the t interval of such a mean and sd lies inside ± margin; inf where it never does."""
    if np.isnan(mean) or np.isnan(sd):
        return float("nan")

    def enough(n: int) -> bool:
        return bool(abs(mean) + stats.t.ppf((1 + confidence) / 2, n - 1) * sd / np.sqrt(n) < margin)

    return _fewest(enough) if abs(mean) < margin else float("inf")


def _fewest(enough: Callable[[int], bool]) -> float:
    """The smallest n ≥ 2 up to MOST_SEEDS that is enough, found by doubling and halving; inf if none is."""
    low, high = 1, 2
    while not enough(high):
        low, high = high, 2 * high
        if low > MOST_SEEDS:
            return float("inf")
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high if high <= MOST_SEEDS else float("inf")
