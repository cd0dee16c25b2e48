"""Confidence sequences: intervals that hold for all numbers of seeds at once.

They may be looked at after every seed, and seeds may be added for any reason. Each is the set of
values against which a bettor has not yet won much: whoever bets at fair odds multiplies the stake
by 1/α with a probability of at most α, however long the game (Ville's inequality). The reciprocal
of the winnings is an always-valid p value.

The bets on the center are bounded odd functions of the differences, which are fair if differences
are symmetric around their center, whatever their distribution (Ramdas et al., "Admissible
anytime-valid sequential inference", 2020). Those on a mean of bounded numbers need no symmetry
(Waudby-Smith and Ramdas, JRSS B 86, 2024). Stakes are mixed over a fixed grid.
"""

from collections.abc import Callable

import numpy as np

STAKES = np.geomspace(0.15, 4, 12)
"""Stakes of the bets on a center: slopes at 0, per scale of the differences."""
FRACTIONS = np.array([0.1, 0.3, 0.5, 0.7, 0.9])
"""Stakes of the bets on a mean: fractions of what can be lost."""
GRID = 33
"""Number of values that are tried at first, and in each refinement between two of them."""
REFINEMENTS = 3

Winnings = Callable[[np.ndarray], np.ndarray]
"""Values (k,) → winnings (k,) against "the center is at most this value"."""


def center_winnings(differences: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Bet against "the center is at most this value", seed by seed.

    Args:
        differences: (n,), in the order of the seeds.
        values: (k,).

    Returns:
        Winnings after each seed (k, n), for a stake of 1. A seed multiplies them by two at most.
    """
    distances = differences - values[:, None]
    seeds = np.arange(1, len(differences) + 1)
    scales = np.sqrt(np.cumsum(distances**2, axis=1) / seeds)
    scores = np.divide(distances, scales, out=np.zeros_like(distances), where=scales > 0)
    gains = 1 + np.tanh(STAKES[:, None, None] * scores)
    return _mixed(gains)


def most_winnings(seeds: int) -> float:
    """Return the winnings on a center if all differences are far above it."""
    most: float = ((1 + np.tanh(STAKES)) ** seeds).mean()
    return most


def mean_winnings(numbers: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Bet against "the mean is at most this value", for numbers (n,) from −1 to 1.

    Returns:
        Winnings after each number (k, n).
    """
    stakes = FRACTIONS[:, None, None] / (1 + values[:, None])
    gains = 1 + stakes * (numbers - values[:, None])
    return _mixed(gains)


def _mixed(gains: np.ndarray) -> np.ndarray:
    """Return the winnings (k, n) of equal parts of all stakes: gains (stakes, k, n)."""
    with np.errstate(over="ignore"):  # infinite winnings are enough
        mixed: np.ndarray = np.cumprod(gains, axis=2).mean(axis=0)
    return mixed


def center_interval(differences: np.ndarray, alpha: float) -> tuple[float, float]:
    """Return the confidence sequence of the center of differences (n,) after all of them.

    An end is infinite while there are too few seeds for it. Low is above high if no center fits:
    then the differences have drifted and are no sample of one distribution.
    """
    high = -_lowest_center(-differences, alpha / 2)
    return _lowest_center(differences, alpha / 2), high


def _lowest_center(differences: np.ndarray, alpha: float) -> float:
    """Return the smallest center that is not rejected."""
    n = len(differences)
    if most_winnings(n) < 1 / alpha:
        return -np.inf
    middle = np.median(differences)
    spread = np.mean(np.abs(differences - middle))
    angles = np.linspace(-np.pi / 2, np.pi / 2, GRID + 2)[1:-1]
    grid = middle + spread * np.tan(angles)

    def winnings(values: np.ndarray) -> np.ndarray:
        best: np.ndarray = center_winnings(differences, values).max(axis=1)
        return best

    return _lowest(winnings, grid, alpha)


def mean_interval(numbers: np.ndarray, alpha: float) -> tuple[float, float]:
    """Return the confidence sequence of the mean of numbers (n,) from −1 to 1."""
    high = -_lowest_mean(-numbers, alpha / 2)
    return _lowest_mean(numbers, alpha / 2), high


def _lowest_mean(numbers: np.ndarray, alpha: float) -> float:
    """Return the smallest mean that is not rejected."""
    if not len(numbers):
        return -1.0

    def winnings(values: np.ndarray) -> np.ndarray:
        best: np.ndarray = mean_winnings(numbers, values).max(axis=1)
        return best

    grid = np.linspace(-1, 1, GRID + 1)[1:]
    lowest = _lowest(winnings, grid, alpha)
    return -1.0 if lowest == grid[0] else lowest


def _lowest(winnings: Winnings, grid: np.ndarray, alpha: float) -> float:
    """Return the smallest value that is not rejected; +inf if every value of the grid is."""
    kept = np.flatnonzero(winnings(grid) < 1 / alpha)
    if not len(kept):
        return np.inf
    for _ in range(REFINEMENTS):
        grid = np.linspace(grid[max(kept[0] - 1, 0)], grid[kept[0]], GRID)
        kept = np.flatnonzero(winnings(grid) < 1 / alpha)
    return float(grid[kept[0]])
