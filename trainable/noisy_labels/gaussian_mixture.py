"""Co-divide: per-sample losses become a clean probability, and a threshold splits the samples.

Follows `eval_train` of the authors' `Train_cifar.py`: min-max normalisation, a mixture of two
Gaussians with their settings, the posterior of the component with the smaller mean. The variants
are other people's, as their fields say.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

# Two losses closer than this cannot be told apart in float32 once they are averaged over a history.
CONSTANT = 1e-8
LARGE = 2**18
GROUPS = 2**16
"""From `LARGE` losses on, a mixture is fitted to the means of `GROUPS` groups of neighbours."""


@dataclass(frozen=True)
class Mixture:
    """Clean probability of every sample (n,), and the two components, the clean one first.

    Components are on the axis of losses. The tuples are empty where no mixture was fitted.
    """

    clean_probability: np.ndarray
    means: tuple[float, ...]
    sds: tuple[float, ...]
    weights: tuple[float, ...]


def normalise(losses: np.ndarray) -> np.ndarray:
    """Losses (n,) scaled to [0, 1]; all zero if they are constant."""
    low = losses.min()
    width = losses.max() - low
    if width < CONSTANT:
        return np.zeros_like(losses)
    scaled: np.ndarray = (losses - low) / width
    return scaled


def constant(losses: np.ndarray) -> Mixture:
    """The mixture of equal losses (n,): they carry no evidence, so every sample counts as clean."""
    level = float(losses[0])
    return Mixture(np.ones(len(losses)), (level, level), (0.0, 0.0), (1.0, 0.0))


def fit_mixture(evidence: np.ndarray, seed: int) -> Mixture:
    """Fit two Gaussians to losses (n,), or to them with other evidence, (n, dimensions).

    The component nearer to the origin is the clean one.
    `reg_covar` keeps a component's sd above 0.0224; the posterior need not be monotone in the loss.

    From `LARGE` losses on, the fit sees groups of neighbouring ones (`benchmarks/parts.py` says how
    little that moves posteriors); every sample still has its own posterior.
    """
    points = evidence.reshape(len(evidence), -1)
    if np.ptp(points, axis=0).max() < CONSTANT:
        return constant(points[:, 0])
    model = GaussianMixture(2, max_iter=10, tol=1e-2, reg_covar=5e-4, random_state=seed % 2**32)
    fitted = points
    if points.shape[1] == 1 and len(points) >= LARGE:
        fitted = condensed(points)
    with warnings.catch_warnings():
        # Ten iterations are the authors' limit, and few distinct losses may leave one cluster
        # empty: both are answers.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(fitted)
        posterior = model.predict_proba(points)
    order = np.argsort(model.means_.sum(1))
    sds = np.sqrt(model.covariances_[order, 0, 0])
    return Mixture(
        clean_probability=posterior[:, order[0]],
        means=tuple(model.means_[order, 0].tolist()),
        sds=tuple(sds.tolist()),
        weights=tuple(model.weights_[order].tolist()),
    )


def condensed(points: np.ndarray) -> np.ndarray:
    """Means (GROUPS, 1) of equally many neighbouring values of points (n, 1), ascending."""
    values = np.sort(points[:, 0])
    starts = np.linspace(0, len(values), GROUPS + 1).astype(int)
    sums = np.add.reduceat(values, starts[:-1], dtype=np.float64)
    means: np.ndarray = sums / np.diff(starts)
    return means[:, None]


def monotone(clean_probability: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """The posterior (n,) made to fall with the loss (n,).

    It is level up to its peak, then its running minimum. The minimum alone would take everything
    down where the smallest losses already have a low posterior.
    """
    order = np.argsort(losses, kind="stable")
    falling = clean_probability[order]
    falling[: falling.argmax()] = falling.max()
    result = np.empty_like(clean_probability)
    result[order] = np.minimum.accumulate(falling)
    return result
