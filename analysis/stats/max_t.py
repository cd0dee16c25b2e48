"""Test of all arms of a family together: joint sign flips of whole seeds (max-T).

All arms share a baseline, so that their differences on one seed belong together. Under the null
hypothesis the signs of whole seeds are exchangeable; the largest statistic of all arms is compared
with its distribution over all sign patterns (Westfall and Young, 1993). The smallest attainable p
is 2/2^n for any number of arms, so that six seeds suffice; Holm's correction needs more for each
arm.
"""

from dataclasses import dataclass

import numpy as np

from analysis.stats.paired import FLIPS, signed_sums

SAME = 1e-9
"""Statistics, from 0 to 1, that are closer than this differ by rounding only."""


@dataclass(frozen=True)
class MaxT:
    """Adjusted p values and simultaneous intervals of a family's arms, (arms,) each.

    Attributes:
        p: single-step adjusted: the share of patterns in which any arm is as extreme as this one.
        step_down: the same without the arms that are more extreme; never larger.
        low, high: intervals that hold together, from flips of the centered differences. Their level
            is approximate.
    """

    p: np.ndarray
    step_down: np.ndarray
    low: np.ndarray
    high: np.ndarray


def max_t(differences: np.ndarray, alpha: float) -> MaxT:
    """Compare arms with their baseline.

    Args:
        differences: (seeds, arms); NaN where an arm has no pair on a seed.
        alpha: family-wise error of the intervals.
    """
    flipped = _flipped(differences)
    observed = _statistics(differences, np.nansum(differences, axis=0))
    p = _shares(flipped.max(axis=1, keepdims=True), observed, len(differences))
    low, high = _intervals(differences, alpha)
    return MaxT(p, _step_down(flipped, observed, len(differences)), low, high)


def _flipped(differences: np.ndarray) -> np.ndarray:
    """Return the statistics of the differences (seeds, arms) under each pattern: (flips, arms)."""
    return _statistics(differences, signed_sums(np.nan_to_num(differences).T).T)


def _statistics(differences: np.ndarray, sums: np.ndarray) -> np.ndarray:
    """Return |sum| / its largest possible value: (seeds, arms), (…, arms) → (…, arms).

    The t statistic of the flipped differences is an increasing function of it. 0 if all are 0.
    """
    pairs = np.count_nonzero(~np.isnan(differences), axis=0)
    largest = np.sqrt(pairs * np.nansum(differences**2, axis=0))
    ratios: np.ndarray = np.divide(
        np.abs(sums), largest, out=np.zeros_like(sums), where=largest > 0
    )
    return ratios


def _shares(flipped: np.ndarray, observed: np.ndarray, seeds: int) -> np.ndarray:
    """Return the share of patterns that are as extreme: (flips, 1 or arms), (arms,) → (arms,)."""
    extreme = np.count_nonzero(flipped >= observed - SAME, axis=0)
    # Random patterns may lack the observed one, which is counted in addition.
    added = int(2**seeds > FLIPS)
    p: np.ndarray = (extreme + added) / (len(flipped) + added)
    return p


def _step_down(flipped: np.ndarray, observed: np.ndarray, seeds: int) -> np.ndarray:
    """Return p values of each arm among those that are not more extreme."""
    order = np.argsort(-observed, kind="stable")
    remaining = np.maximum.accumulate(flipped[:, order[::-1]], axis=1)[:, ::-1]
    p = np.empty(len(observed))
    p[order] = np.maximum.accumulate(_shares(remaining, observed[order], seeds))
    return p


def _intervals(differences: np.ndarray, alpha: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of simultaneous intervals of the means; NaN for fewer than two pairs."""
    pairs = np.count_nonzero(~np.isnan(differences), axis=0)
    known = pairs > 1
    low = np.full(len(pairs), np.nan)
    high = np.full(len(pairs), np.nan)
    if not known.any():
        return low, high
    chosen = differences[:, known]
    means = np.nanmean(chosen, axis=0)
    deviations = np.nanstd(chosen, axis=0, ddof=1)
    flipped = _flipped(chosen - means)
    quantile = np.quantile(flipped.max(axis=1), 1 - alpha, method="higher")
    freedom = pairs[known] - 1
    half = np.full(known.sum(), np.inf)
    if quantile < 1 - SAME:
        critical = quantile * np.sqrt(freedom) / np.sqrt(1 - quantile**2)
        half = critical * deviations / np.sqrt(pairs[known])
    low[known] = means - half
    high[known] = means + half
    return low, high
