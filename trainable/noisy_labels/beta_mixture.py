"""Two Beta distributions fitted to per-sample losses (Arazo et al., ICML 2019).

The constants are those of `BetaMixture1D` and its caller in
github.com/PaulAlbert31/LabelNoiseCorrection. The fit is deterministic.
"""

import numpy as np
from scipy.special import betaln, xlog1py, xlogy

from trainable.noisy_labels.gaussian_mixture import CONSTANT, Mixture, constant

ITERATIONS = 10
TINY = 1e-12
TABLE = 100
NARROWEST_RANGE = 1e-4
"""Smallest range of losses for the percentile scale; its offsets would reverse a smaller one."""
NARROWEST = 1e-6
"""Lower bound of a component's variance in the unit interval; equal losses have variance 0."""


def fit_beta_mixture(losses: np.ndarray) -> Mixture:
    """Fit two Beta distributions to losses (n,).

    Means and standard deviations are on the scale of `_unit_interval`. The clean probability is
    read from a table of 100 cells over that scale. To the right of the noisy posterior's peak it
    keeps the value at the peak. Unlike the Gaussian posterior, it therefore does not rise again for
    the largest losses.
    """
    if np.ptp(losses) < CONSTANT:
        return constant(losses)
    scaled, inside = _unit_interval(losses)
    fitted = np.clip(scaled[inside], 1e-4, 1 - 1e-4)
    alphas, betas, weights = _expectation_maximisation(fitted)
    means = alphas / (alphas + betas)
    if means[0] > means[1]:  # the components have crossed
        alphas = alphas[::-1]
        betas = betas[::-1]
        weights = weights[::-1]
        means = means[::-1]
    sds = np.sqrt(means * (1 - means) / (alphas + betas + 1))
    cells = np.linspace(TINY, 1 - TINY, TABLE)
    density = _weighted(cells, alphas, betas, weights)
    noisy = density[1] / (density.sum(0) + TINY)
    noisy[noisy.argmax() :] = noisy.max()
    cell = (TABLE * scaled).astype(int)
    return Mixture(
        clean_probability=1 - noisy[cell],
        means=tuple(means.tolist()),
        sds=tuple(sds.tolist()),
        weights=tuple(weights.tolist()),
    )


def _unit_interval(losses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Scale losses (n,) from their 5th and 95th percentile to (0, 1).

    Losses outside are clipped. If the percentiles are nearly equal, or no loss is between them, the
    scale is from the smallest to the largest loss.

    Returns:
        The scaled losses (n,), and whether each loss is inside the scale, (n,) bool.
    """
    low = np.percentile(losses, 5)
    high = np.percentile(losses, 95)
    inside = (losses >= low) & (losses <= high)
    if high - low < NARROWEST_RANGE or not inside.any():
        low = losses.min()
        high = losses.max()
        inside = np.ones(len(losses), bool)
    start = low + 1e-5
    scaled = (losses - start) / (high - start + 1e-6)
    raised = np.where(scaled <= 0, 1e-3, scaled)
    return np.where(scaled >= 1, 1 - 1e-3, raised).astype(np.float64), inside


def _expectation_maximisation(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Fit two components to values x (n,) in the unit interval; return alphas, betas, weights.

    They are (2,) each. The first component starts at the left.
    """
    alphas = np.array([1.0, 2.0])
    betas = np.array([2.0, 1.0])
    weights = np.array([0.5, 0.5])
    for _ in range(ITERATIONS):
        density = np.maximum(_weighted(x, alphas, betas, weights), TINY)
        share = density / density.sum(0)
        alphas, betas = np.transpose([moments(x, each) for each in share])
        weights = share.sum(1) / share.sum()
    return alphas, betas, weights


def moments(x: np.ndarray, weight: np.ndarray) -> tuple[float, float]:
    """Return alpha and beta of the Beta distribution with the weighted mean and variance of x.

    x and `weight` are (n,).
    """
    mean = np.average(x, weights=weight)
    variance = np.average((x - mean) ** 2, weights=weight)
    variance = max(variance, NARROWEST)
    alpha = mean * (mean * (1 - mean) / variance - 1)
    return float(alpha), float(alpha * (1 - mean) / mean)


def _weighted(
    x: np.ndarray, alphas: np.ndarray, betas: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Return the weighted densities of both components at x (n,), (2, n)."""
    alpha = alphas[:, None]
    beta = betas[:, None]
    log_density = xlogy(alpha - 1, x) + xlog1py(beta - 1, -x) - betaln(alpha, beta)
    weighted: np.ndarray = weights[:, None] * np.exp(log_density)
    return weighted
