"""Numbers of seeds that comparisons need: power of the t test, detection, equivalence."""

from collections.abc import Callable

import numpy as np
from scipy import stats

from analysis.stats.attainable_p import ALPHA, smallest_p

INFINITE = float("inf")

MOST_SEEDS = 10_000
"""Maximum number of seeds; larger results are inf."""


def power(effect: float, n: int, alpha: float = ALPHA) -> float:
    """Return the power of a two-sided paired t test of n pairs for an effect (mean / sd).

    It uses the noncentral F of t², because scipy's noncentral t is NaN far out in its tails.
    """
    if not effect:  # scipy's noncentral F is wrong without noncentrality
        return alpha
    freedom = n - 1
    critical = stats.t.ppf(1 - alpha / 2, freedom)
    return float(stats.ncf.sf(critical**2, 1, freedom, n * effect**2))


def seeds_to_detect(effect: float, comparisons: int = 1, chance: float = 0.8) -> float:
    """Return the number of seeds that detect an effect with this power; inf for no effect.

    The effect is one of `comparisons` in its family, so the power of the t test is taken at
    ALPHA / comparisons (Holm's worst case). The result is never below what the exact test needs.
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
    """Return the number of seeds with which the t interval of a mean and sd is within ±margin.

    The result is inf if it never is.
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
    """Find the smallest sufficient n from 2 to MOST_SEEDS by bisection; inf if none is.

    `enough` must be monotone in n.
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
