"""How many seeds a comparison needs: power of the t test, differences to detect, equivalence."""

from collections.abc import Callable

import numpy as np
from scipy import stats

from analysis.stats.attainable_p import ALPHA, smallest_p

INFINITE = float("inf")

MOST_SEEDS = 10_000
"""A comparison that would need more seeds than this needs infinitely many."""


def power(effect: float, n: int, alpha: float = ALPHA) -> float:
    """Chance that a two-sided paired t test of n pairs finds an effect (mean over sd).

    By the noncentral F of t²: scipy's noncentral t is NaN far out in its tails.
    """
    if not effect:  # scipy's noncentral F is wrong without noncentrality
        return alpha
    freedom = n - 1
    critical = stats.t.ppf(1 - alpha / 2, freedom)
    return float(stats.ncf.sf(critical**2, 1, freedom, n * effect**2))


def seeds_to_detect(effect: float, comparisons: int = 1, chance: float = 0.8) -> float:
    """Seeds that find an effect of this size with this chance; inf for no effect.

    The effect is one of `comparisons` in its family: the t test's power is taken at
    ALPHA / comparisons (Holm's worst case). Never fewer seeds than the exact test needs.
    """
    if np.isnan(effect):
        return float("nan")
    if not effect:
        return INFINITE

    def enough(n: int) -> bool:
        if smallest_p(comparisons, n) > ALPHA:
            return False
        return power(effect, n, ALPHA / comparisons) >= chance

    return _fewest(enough)


def seeds_for_equivalence(mean: float, sd: float, margin: float, confidence: float = 0.95) -> float:
    """Seeds with which the t interval of such a mean and sd is inside ± margin.

    inf where it never is.
    """
    if np.isnan(mean) or np.isnan(sd):
        return float("nan")
    distance = abs(mean)
    if not distance < margin:
        return INFINITE

    def enough(n: int) -> bool:
        quantile = stats.t.ppf((1 + confidence) / 2, n - 1)
        half = quantile * sd / np.sqrt(n)
        return bool(distance + half < margin)

    return _fewest(enough)


def _fewest(enough: Callable[[int], bool]) -> float:
    """Find the smallest n ≥ 2 up to MOST_SEEDS that is enough; inf if none is.

    By doubling, then halving.
    """
    low = 1
    high = 2
    while not enough(high):
        low = high
        high = 2 * high
        if low > MOST_SEEDS:
            return INFINITE
    while high - low > 1:
        middle = (low + high) // 2
        if enough(middle):
            high = middle
        else:
            low = middle
    if high > MOST_SEEDS:
        return INFINITE
    return high
