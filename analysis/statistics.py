"""Paired comparison of two arms over seeds. All inputs are one number a seed."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

RESAMPLES = 100_000
"""The sign-flip test is exact up to 16 pairs (2^16 < RESAMPLES); beyond, it draws so many flips from a fixed seed."""


TIE = 1e-9
"""Sums of differences (in points) that are closer than this are equal: they differ by rounding only."""


@dataclass(frozen=True)
class Paired:
    """Mean of paired differences with its t interval, and the exact sign-flip p. NaN where n is too small."""

    n: int
    mean: float
    low: float
    high: float
    p: float


def paired(differences: np.ndarray, confidence: float = 0.95) -> Paired:
    """Compare differences (n,) with zero.

    The t interval is the headline: with eight seeds it keeps its coverage where bootstrap intervals do not.
    """
    n = len(differences)
    if n == 0:
        return Paired(0, *[float("nan")] * 4)
    mean = float(np.mean(differences))
    if n == 1:
        return Paired(1, mean, float("nan"), float("nan"), 1.0)
    half = stats.t.ppf((1 + confidence) / 2, n - 1) * np.std(differences, ddof=1) / np.sqrt(n)
    return Paired(n, mean, float(mean - half), float(mean + half), sign_flip_p(differences))


def sign_flip_p(differences: np.ndarray) -> float:
    """Two-sided p of "the sign of each difference is a coin toss" (n,), by the mean's permutation distribution."""
    if len(differences) < 2 or np.all(np.abs(differences) <= TIE):
        return 1.0
    test = stats.permutation_test(
        (differences,), np.sum, permutation_type="samples", vectorized=True, n_resamples=RESAMPLES, rng=0
    )
    # scipy's own p takes sums as equal within 100 eps of the observed sum; differences of accuracies round worse.
    extreme = np.count_nonzero(np.abs(test.null_distribution) >= abs(test.statistic) - TIE)
    sampled = 2 ** len(differences) > RESAMPLES
    return (extreme + sampled) / (len(test.null_distribution) + sampled)


def holm(p: np.ndarray) -> np.ndarray:
    """Holm's adjusted p values (Scand. J. Statist. 6, 1979) of one family (m,); NaN stays NaN and is not counted."""
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1)
    return adjusted
