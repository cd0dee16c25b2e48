"""Paired comparison of two arms over seeds. All inputs are one number a seed."""

import functools
from dataclasses import dataclass

import numpy as np
from scipy import stats

FLIPS = 100_000
"""The sign-flip test is exact up to 16 pairs (2^16 < FLIPS); beyond, it draws so many flips from a fixed seed."""

RESAMPLES = 10_000
"""Of a bootstrap interval, from a fixed seed."""


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
    return Paired(
        n,
        *mean_interval(differences, confidence),
        float(sign_flip_p(differences)) if n else float("nan"),
    )


def mean_interval(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float, float]:
    """Mean of values (n,) with its t interval: (mean, low, high), NaN where n is too small."""
    n, nan = len(values), float("nan")
    if n < 2:
        return (float(values[0]) if n else nan), nan, nan
    mean, half = (
        np.mean(values),
        stats.t.ppf((1 + confidence) / 2, n - 1) * np.std(values, ddof=1) / np.sqrt(n),
    )
    return float(mean), float(mean - half), float(mean + half)


def sign_flip_p(differences: np.ndarray) -> np.ndarray:
    """Two-sided p of "the sign of each difference is a coin toss" (…, n) → (…), by the sum's permutation distribution.

    Own code for the ties: scipy's `permutation_test` takes sums as equal within 100 eps of the observed one, and
    differences of accuracies round worse.
    """
    signs = _signs(differences.shape[-1])
    sampled = 2 ** differences.shape[-1] > FLIPS
    sums = np.abs(differences @ signs)
    extreme = np.count_nonzero(sums >= np.abs(differences.sum(-1))[..., None] - TIE, axis=-1)
    return (extreme + sampled) / (signs.shape[1] + sampled)


@functools.lru_cache(maxsize=2)
def _signs(n: int) -> np.ndarray:
    """Patterns of n signs, all of them or FLIPS drawn ones: (n, patterns) of ±1."""
    if 2**n > FLIPS:
        bits = np.random.default_rng(0).integers(0, 2, (FLIPS, n), np.int8)
    else:
        bits = np.arange(2**n)[:, None] >> np.arange(n) & 1
    return (2.0 * bits - 1).T


def bootstrap(differences: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Percentile interval of the mean of differences (n,); NaN for fewer than two. Too narrow for few seeds."""
    if len(differences) < 2:
        return float("nan"), float("nan")
    interval = stats.bootstrap(
        (differences,),
        np.mean,
        n_resamples=RESAMPLES,
        confidence_level=confidence,
        method="percentile",
        rng=0,
    ).confidence_interval
    return float(interval.low), float(interval.high)


def effect_size(differences: np.ndarray) -> float:
    """Cohen's d of paired samples: mean of the differences (n,) over their sd; 0 if all are 0, NaN if undefined."""
    if len(differences) < 2:
        return float("nan")
    mean, sd = float(np.mean(differences)), float(np.std(differences, ddof=1))
    if sd > TIE:
        return mean / sd
    return 0.0 if abs(mean) <= TIE else float("nan")


def improvement(differences: np.ndarray) -> float:
    """Share of seeds on which the arm is better than the baseline, ties counted half; of differences (n,)."""
    if not len(differences):
        return float("nan")
    return float(np.mean(differences > TIE) + np.mean(np.abs(differences) <= TIE) / 2)
