"""From the networks that were trained to the arm: the interval of the mean over all seeds."""

import numpy as np
from scipy import stats

NAN = float("nan")


def arm_interval(
    of_seeds: np.ndarray,
    networks: tuple[float, float],
    own: float,
    common: float,
    confidence: float = 0.95,
) -> tuple[float, float, float]:
    """Return (low, high, sd over seeds) for the mean over all seeds; NaN with one seed.

    Estimates of the seeds share an error that is not due to seeds: they are made on the same test
    labels. `networks` holds that error already. What it adds to the spread over seeds is subtracted
    from their variance, and the rest gives a t interval. Both distances from the mean are then
    combined end by end (method of variance estimates recovery, Zou and Donner, Statistics in
    Medicine 27, 2008), so that each keeps its own degrees of freedom.

    Args:
        of_seeds: (seeds,) estimates.
        networks: interval of their mean, for these trained networks.
        own: variance of one seed's estimate that is due to the labels, mean over the seeds.
        common: that of the mean over the seeds.
        confidence: level of the interval.
    """
    seeds = len(of_seeds)
    if seeds < 2:
        return NAN, NAN, NAN
    by_labels = max(own - common, 0) * seeds / (seeds - 1)
    sd = np.sqrt(max(np.var(of_seeds, ddof=1) - by_labels, 0))
    half = stats.t.ppf((1 + confidence) / 2, seeds - 1) * sd / np.sqrt(seeds)
    mean = np.mean(of_seeds)
    low = mean - np.hypot(mean - networks[0], half)
    high = mean + np.hypot(networks[1] - mean, half)
    return float(low), float(high), float(sd)
