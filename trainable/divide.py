"""Co-divide: per-sample losses become a clean probability, and a threshold splits the samples.

Follows `eval_train` of the authors' `Train_cifar.py`: min-max normalisation, a mixture of two Gaussians with their
settings, the posterior of the component with the smaller mean.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

# Two losses closer than this cannot be told apart in float32 once they are averaged over a history.
CONSTANT = 1e-8
MARGIN = 1e-5


@dataclass(frozen=True)
class Mixture:
    """Clean probability of every sample (n,), and the two components, the clean one first."""

    clean_probability: np.ndarray
    means: tuple[float, float]
    sds: tuple[float, float]
    weights: tuple[float, float]


def normalise(losses: np.ndarray) -> np.ndarray:
    """Losses (n,) scaled to [0, 1]; all zero if they are constant."""
    low, high = losses.min(), losses.max()
    return np.zeros_like(losses) if high - low < CONSTANT else (losses - low) / (high - low)


def fit_mixture(losses: np.ndarray, seed: int) -> Mixture:
    """Fit two Gaussians to normalised losses (n,).

    Constant losses carry no evidence: every sample then counts as clean.
    `reg_covar` keeps a component's sd above 0.0224; the posterior need not be monotone in the loss.
    """
    if losses.max() - losses.min() < CONSTANT:
        level = float(losses[0])
        return Mixture(np.ones(len(losses)), (level, level), (0.0, 0.0), (1.0, 0.0))
    model = GaussianMixture(2, max_iter=10, tol=1e-2, reg_covar=5e-4, random_state=seed % 2**32)
    with warnings.catch_warnings():
        # Ten iterations are the authors' limit, and few distinct losses may leave one cluster empty: both are answers.
        warnings.simplefilter("ignore", ConvergenceWarning)
        posterior = model.fit(losses[:, None]).predict_proba(losses[:, None])
    order = np.argsort(model.means_[:, 0])
    means, sds, weights = model.means_[order, 0], np.sqrt(model.covariances_[order, 0, 0]), model.weights_[order]
    return Mixture(posterior[:, order[0]], tuple(means.tolist()), tuple(sds.tolist()), tuple(weights.tolist()))


def split(clean_probability: np.ndarray, threshold: float) -> tuple[np.ndarray, float]:
    """Which samples are labeled (n,) bool: those strictly above the threshold, and the threshold that was used.

    The threshold is kept just inside the range of the probabilities (as Contrast-to-Divide does), so neither side is
    empty; if all probabilities are equal there is nothing to divide, and every sample is labeled.
    """
    low, high = float(clean_probability.min()), float(clean_probability.max())
    if high - low <= 2 * MARGIN:
        return np.ones(len(clean_probability), bool), threshold
    used = min(max(threshold, low + MARGIN), high - MARGIN)
    return clean_probability > used, used
