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
"""Largest number of signs or of resampled values, a byte each: beyond 200 pairs, fewer patterns are
drawn, and beyond 2,000 fewer resamples."""
AT_ONCE = 100_000
"""Number of them that are multiplied at once, as floats: they fit into a core's cache, and the
threads of a matrix product would wait for each other."""

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
    sums = np.abs(signed_sums(differences))
    patterns = sums.shape[-1]
    observed = np.abs(differences.sum(-1))
    extreme = np.count_nonzero(sums >= observed[..., None] - TIE, axis=-1)
    # Random patterns may lack the observed one, which is counted in addition.
    added = int(2**n > FLIPS)
    p: np.ndarray = (extreme + added) / (patterns + added)
    return p


def signed_sums(values: np.ndarray) -> np.ndarray:
    """Return the sums of values (…, n) with the signs of each pattern: (…, patterns)."""
    return _sums(signs(values.shape[-1]), values)


@functools.lru_cache(maxsize=2)
def signs(n: int) -> np.ndarray:
    """Return patterns of n signs, all or up to FLIPS random ones: (patterns, n) int8 of ±1."""
    if 2**n > FLIPS:
        rng = np.random.default_rng(0)
        bits = rng.integers(0, 2, (min(FLIPS, NUMBERS // n), n), np.int8)
    else:
        numbers = np.arange(2**n)
        bits = (numbers[:, None] >> np.arange(n) & 1).astype(np.int8)
    return 2 * bits - 1


def _sums(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return weighted sums: weights (m, n) of one byte, values (…, n) → (…, m)."""
    parts = np.array_split(weights, -(-weights.size // AT_ONCE))
    return np.concatenate([values @ part.T.astype(float) for part in parts], axis=-1)


def bootstrap(differences: np.ndarray, confidence: float = 0.95) -> tuple[float, float]:
    """Return the percentile interval of the mean of differences (n,); NaN for fewer than two.

    It is too narrow for few seeds. Each call of scipy's `bootstrap` draws the resamples anew, which
    takes most of the time of a report with thousands of seeds.
    """
    n = len(differences)
    if n < 2:
        return NAN, NAN
    means = _sums(resamples(n), differences) / n
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


@functools.lru_cache(maxsize=2)
def resamples(n: int) -> np.ndarray:
    """Return how often each of n values is in each resample: (resamples, n) uint8."""
    rng = np.random.default_rng(0)
    number = min(RESAMPLES, NUMBERS // n)
    counts = []
    for part in np.array_split(np.arange(number), -(-number * n // AT_ONCE)):
        drawn = rng.integers(0, n, (len(part), n))
        places = drawn + n * np.arange(len(part))[:, None]
        of_part = np.bincount(places.ravel(), minlength=len(part) * n)
        counts.append(of_part.astype(np.uint8).reshape(len(part), n))
    return np.concatenate(counts)


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
