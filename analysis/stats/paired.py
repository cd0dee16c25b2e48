"""Paired comparison of two arms over seeds. Inputs have one number per seed."""

import functools
from dataclasses import dataclass

import numpy as np
from scipy import stats

NAN = float("nan")

FLIPS = 100_000
"""The sign-flip test is exact up to 16 pairs (2^16 < FLIPS).

For more pairs it draws this number of sign patterns with a fixed seed.
"""

RESAMPLES = 10_000
"""Number of resamples of a bootstrap interval, drawn with a fixed seed."""
NUMBERS = 20_000_000
"""Largest number of signs or resampled values in memory at once: beyond 200 pairs, fewer patterns
are drawn."""

TIE = 1e-9
"""Sums of differences (in points) that are closer than this count as equal.

Such sums differ by rounding only.
"""


@dataclass(frozen=True)
class Paired:
    """Mean of paired differences with its t interval, and the exact sign-flip p.

    Values are NaN if n is too small.
    """

    n: int
    mean: float
    low: float
    high: float
    p: float


def paired(differences: np.ndarray, confidence: float = 0.95) -> Paired:
    """Compare differences (n,) with zero.

    The t interval is the main result: with eight seeds it keeps its coverage, and bootstrap
    intervals do not.
    """
    mean, low, high = mean_interval(differences, confidence)
    p = NAN
    if len(differences):
        p = float(sign_flip_p(differences))
    return Paired(
        n=len(differences),
        mean=mean,
        low=low,
        high=high,
        p=p,
    )


def mean_interval(values: np.ndarray, confidence: float = 0.95) -> tuple[float, float, float]:
    """Return (mean, low, high): mean of values (n,) and t interval; NaN if n is too small."""
    n = len(values)
    if n == 0:
        return NAN, NAN, NAN
    if n == 1:
        return float(values[0]), NAN, NAN
    mean = np.mean(values)
    quantile = stats.t.ppf((1 + confidence) / 2, n - 1)
    half = quantile * np.std(values, ddof=1) / np.sqrt(n)
    return float(mean), float(mean - half), float(mean + half)


def sign_flip_p(differences: np.ndarray) -> np.ndarray:
    """Return the two-sided p of the sign-flip test: differences (…, n) → (…).

    Under the null hypothesis all signs are equally likely; p follows from the permutation
    distribution of the sum. scipy's `permutation_test` is not used because of ties: its tolerance
    of 100 eps is smaller than the rounding of accuracy differences.
    """
    n = differences.shape[-1]
    flips = signs(n)
    patterns = flips.shape[1]
    sums = np.abs(differences @ flips)
    observed = np.abs(differences.sum(-1))
    extreme = np.count_nonzero(sums >= observed[..., None] - TIE, axis=-1)
    # Random patterns may lack the observed one, which is counted in addition.
    added = int(2**n > FLIPS)
    p: np.ndarray = (extreme + added) / (patterns + added)
    return p


@functools.lru_cache(maxsize=2)
def signs(n: int) -> np.ndarray:
    """Return patterns of n signs, all or up to FLIPS random ones: (n, patterns) of ±1."""
    if 2**n > FLIPS:
        rng = np.random.default_rng(0)
        bits = rng.integers(0, 2, (min(FLIPS, NUMBERS // n), n), np.int8)
    else:
        numbers = np.arange(2**n)
        bits = numbers[:, None] >> np.arange(n) & 1
    return (2.0 * bits - 1).T


def bootstrap(differences: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of the mean of differences (n,); NaN for fewer than two.

    It is too narrow for few seeds.
    """
    if len(differences) < 2:
        return NAN, NAN
    interval = stats.bootstrap(
        (differences,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=max(1, NUMBERS // len(differences)),
        confidence_level=confidence,
        method="percentile",
        rng=0,
    ).confidence_interval
    return float(interval.low), float(interval.high)


def effect_size(differences: np.ndarray) -> float:
    """Return Cohen's d of paired samples: mean of the differences (n,) / their sd.

    0 if all are 0, NaN if undefined.
    """
    if len(differences) < 2:
        return NAN
    mean = float(np.mean(differences))
    sd = float(np.std(differences, ddof=1))
    if sd > TIE:
        return mean / sd
    if abs(mean) <= TIE:
        return 0.0
    return NAN


def improvement(differences: np.ndarray) -> float:
    """Return the share of seeds on which the arm is better, from differences (n,).

    Ties count as one half.
    """
    if not len(differences):
        return NAN
    better = np.mean(differences > TIE)
    tied = np.mean(np.abs(differences) <= TIE)
    return float(better + tied / 2)
