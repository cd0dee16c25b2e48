"""Co-divide: clean probabilities of samples, from a mixture of two Gaussians of their losses.

It follows `eval_train` of the authors' `Train_cifar.py`: min-max normalisation, a mixture of two
Gaussians with the same settings, the posterior of the component with the smaller mean. The fields
of `trainable/config/dividemix.py` state the sources of the variants.
"""

import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

# Smaller differences of losses are below the precision of float32 once losses are averaged.
CONSTANT = 1e-8
LARGE = 2**18
GROUPS = 2**16
"""For `LARGE` or more losses, the mixture is fitted to means of `GROUPS` groups of neighbours."""


@dataclass(frozen=True)
class Mixture:
    """Clean probability of every sample (n,), and the two components, the clean one first.

    Means, standard deviations and weights are those along the axis of losses. The tuples are empty
    if no mixture is fitted.
    """

    clean_probability: np.ndarray
    means: tuple[float, ...]
    sds: tuple[float, ...]
    weights: tuple[float, ...]


def normalise(losses: np.ndarray) -> np.ndarray:
    """Return losses (n,) scaled to [0, 1]; all zero if they are constant."""
    low = losses.min()
    width = losses.max() - low
    if width < CONSTANT:
        return np.zeros_like(losses)
    scaled: np.ndarray = (losses - low) / width
    return scaled


def constant(losses: np.ndarray) -> Mixture:
    """Return the mixture of constant losses (n,).

    They have no evidence of wrong labels, so every clean probability is 1.
    """
    level = float(losses[0])
    return Mixture(np.ones(len(losses)), (level, level), (0.0, 0.0), (1.0, 0.0))


def fit_mixture(evidence: np.ndarray, seed: int) -> Mixture:
    """Fit two Gaussians to losses (n,), or to losses and other evidence, (n, dimensions).

    The clean component is the one nearer to the origin. `reg_covar` keeps the standard deviation of
    a component above 0.0224. The posterior is not necessarily monotone in the loss.

    For `LARGE` or more losses, the mixture is fitted to means of groups of neighbouring losses
    (`benchmarks/parts.py` measures the small effect on posteriors). Every sample still has its own
    posterior.
    """
    points = evidence.reshape(len(evidence), -1)
    if np.ptp(points, axis=0).max() < CONSTANT:
        return constant(points[:, 0])
    model = GaussianMixture(2, max_iter=10, tol=1e-2, reg_covar=5e-4, random_state=seed % 2**32)
    fitted = points
    if points.shape[1] == 1 and len(points) >= LARGE:
        fitted = condensed(points)
    with warnings.catch_warnings():
        # Ten iterations are the authors' limit, and few distinct losses can leave one component
        # empty; both are valid results.
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
    """Return means (GROUPS, 1) of equally sized groups of the sorted points (n, 1), ascending."""
    values = np.sort(points[:, 0])
    starts = np.linspace(0, len(values), GROUPS + 1).astype(int)
    sums = np.add.reduceat(values, starts[:-1], dtype=np.float64)
    means: np.ndarray = sums / np.diff(starts)
    return means[:, None]


def monotone(clean_probability: np.ndarray, losses: np.ndarray) -> np.ndarray:
    """Return the posterior (n,) made non-increasing in the loss (n,).

    It is constant up to its peak, and its running minimum afterwards. The running minimum alone
    would lower all posteriors if that of the smallest loss is low.
    """
    order = np.argsort(losses, kind="stable")
    falling = clean_probability[order]
    falling[: falling.argmax()] = falling.max()
    result = np.empty_like(clean_probability)
    result[order] = np.minimum.accumulate(falling)
    return result
