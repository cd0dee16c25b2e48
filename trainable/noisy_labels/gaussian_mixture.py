"""Co-divide: clean probabilities of samples, from a mixture of two Gaussians of their losses.

It follows `eval_train` of the authors' `Train_cifar.py`: min-max normalisation, a mixture of two
Gaussians with the same settings, the posterior of the component with the smaller mean. The fields
of `trainable/config/dividemix.py` state the sources of the variants.

The authors fit with scikit-learn's `GaussianMixture`. For losses alone, `fit_mixture` does the
same steps in double precision, five to ten times as fast, and without the seconds of that import.
It starts from the best division of the losses into two clusters, which scikit-learn's k-means
approximates from a random start; so it needs no seed.
"""

import math
import warnings
from dataclasses import dataclass

import numpy as np

# Smaller differences of losses are below the precision of float32 once losses are averaged.
CONSTANT = 1e-8
ITERATIONS = 10
TOLERANCE = 1e-2
"""The fit ends when the mean log-likelihood changes by less."""
ADDED_VARIANCE = 5e-4
"""Added to each component's variance: its standard deviation is never below 0.0224."""


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


def fit_mixture(losses: np.ndarray) -> Mixture:
    """Fit two Gaussians to losses (n,).

    The clean component is the one with the smaller mean. The posterior is not necessarily monotone
    in the loss.
    """
    if np.ptp(losses) < CONSTANT:
        return constant(losses)
    values = losses.astype(np.float64)
    # Two rows, the components; a sample belongs to one of them at first.
    upper = values > _two_clusters(values)
    share = np.stack([~upper, upper]).astype(np.float64)
    likelihood = -math.inf
    weights, means, variances = _maximise(values, share)
    for _ in range(ITERATIONS):
        share, mean_likelihood = _expect(values, weights, means, variances)
        weights, means, variances = _maximise(values, share)
        if abs(mean_likelihood - likelihood) < TOLERANCE:
            break
        likelihood = mean_likelihood
    share, _ = _expect(values, weights, means, variances)
    order = np.argsort(means, kind="stable")
    return Mixture(
        clean_probability=share[order[0]],
        means=tuple(means[order].tolist()),
        sds=tuple(np.sqrt(variances[order]).tolist()),
        weights=tuple(weights[order].tolist()),
    )


def _two_clusters(values: np.ndarray) -> float:
    """Return the largest value of the lower of two clusters of values (n,), not all equal.

    The clusters have the smallest possible sum of squared distances to their means (2-means).
    """
    ordered = np.sort(values)
    n = len(ordered)
    lower = np.arange(1, n)
    sums = ordered.cumsum()
    below = sums[:-1]
    above = sums[-1] - below
    # The squared distances are smallest where the clusters' means explain most.
    explained = below**2 / lower + above**2 / (n - lower)
    explained[ordered[1:] == ordered[:-1]] = -math.inf  # equal values are not divided
    return float(ordered[explained.argmax()])


def _expect(
    values: np.ndarray, weights: np.ndarray, means: np.ndarray, variances: np.ndarray
) -> tuple[np.ndarray, float]:
    """Return each component's share of every value, (2, n), and the mean log-likelihood."""
    distance = values - means[:, None]
    log_density = -0.5 * (
        np.log(2 * math.pi * variances)[:, None] + distance**2 / variances[:, None]
    )
    joint = np.log(weights)[:, None] + log_density
    total = np.logaddexp(joint[0], joint[1])
    return np.exp(joint - total), float(total.mean())


def _maximise(values: np.ndarray, share: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return weights, means and variances, (2,) each, given shares (2, n) of the values (n,)."""
    count = share.sum(1) + 10 * np.finfo(np.float64).eps  # as scikit-learn: never empty
    means = share @ values / count
    variances = (share * (values - means[:, None]) ** 2).sum(1) / count + ADDED_VARIANCE
    return count / count.sum(), means, variances


def fit_plane(evidence: np.ndarray, seed: int) -> Mixture:
    """Fit two Gaussians to losses and other evidence, (n, 2).

    The clean component is the one nearer to the origin; the fit starts from k-means with a seed.
    """
    # The import takes a second, and only `division: both` needs it.
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    if np.ptp(evidence, axis=0).max() < CONSTANT:
        return constant(evidence[:, 0])
    model = GaussianMixture(
        2, max_iter=ITERATIONS, tol=TOLERANCE, reg_covar=ADDED_VARIANCE, random_state=seed % 2**32
    )
    with warnings.catch_warnings():
        # Ten iterations are the authors' limit, and few distinct points can leave one component
        # empty; both are valid results.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(evidence)
        posterior = model.predict_proba(evidence)
    order = np.argsort(model.means_.sum(1))
    sds = np.sqrt(model.covariances_[order, 0, 0])
    return Mixture(
        clean_probability=posterior[:, order[0]],
        means=tuple(model.means_[order, 0].tolist()),
        sds=tuple(sds.tolist()),
        weights=tuple(model.weights_[order].tolist()),
    )


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
