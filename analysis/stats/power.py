"""Numbers of seeds that comparisons need: power of the t test, detection, equivalence."""

from collections.abc import Callable

import numpy as np
from scipy import stats

from analysis.stats.attainable_p import ALPHA, CENTERS, FEWEST_SEEDS

INFINITE = float("inf")

PLAUSIBLE = 0.9
"""Coverage of the intervals of effect and spread from which the promised seeds follow."""

POWER = 0.8
"""Chance of detecting an effect with the promised seeds."""

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


def seeds_to_decide(
    pairs: int, mean: float, sd: float, margin: float, arms: int = 1
) -> tuple[float, float]:
    """Return the smallest and the largest number of seeds that would decide a comparison.

    For effects and spreads that are plausible after these pairs, it is the number of seeds that
    detects the difference with a power of 80 %, or shows equivalence, whichever is smaller. It is
    inf for no number up to MOST_SEEDS, and NaN where the spread is unknown.

    Args:
        pairs: number of pairs so far.
        mean, sd: of their differences, in points.
        margin: equivalence margin in points.
        arms: number of comparisons of the family.
    """
    if not pairs > 1 or not sd > 0:
        return float("nan"), float("nan")
    tail = (1 - PLAUSIBLE) / 2
    half = stats.t.ppf(1 - tail, pairs - 1) * sd / np.sqrt(pairs)
    spreads = sd * np.sqrt((pairs - 1) / stats.chi2.ppf([1 - tail, tail], pairs - 1))
    needed = [
        min(
            seeds_to_detect(effect / spread, arms),
            seeds_for_equivalence(effect, spread, margin),
        )
        for effect in (mean - half, mean, mean + half)
        for spread in spreads
    ]
    return min(needed), max(needed)


def seeds_to_detect(effect: float, arms: int = 1) -> float:
    """Return the number of seeds that detect an effect with a power of 80 %; inf for no effect.

    The power is that of the t test at the arm's equal part of the error, which is nearly that of
    the joint sign flips. The result is never below what these need.
    """
    if not effect:
        return INFINITE

    def enough(n: int) -> bool:
        if n < FEWEST_SEEDS:
            return False
        return power(effect, n, ALPHA * CENTERS / arms) >= POWER

    return _fewest(enough)


def seeds_for_equivalence(mean: float, sd: float, margin: float) -> float:
    """Return the number of seeds with which the 95 % t interval of a mean and sd is within ±margin.

    The result is inf if it never is.
    """
    distance = abs(mean)
    if not distance < margin:
        return INFINITE

    def enough(n: int) -> bool:
        half = stats.t.ppf(0.975, n - 1) * sd / np.sqrt(n)
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
