"""Small-loss selection: how many samples of a batch are forgotten, and which are kept.

Han et al. 2018. The networks learn what most labels of a class have in common first, so in the
early epochs nothing need be forgotten: the share grows to its final value, which is about the share
of wrong labels.
"""

import numpy as np
import torch

from trainable.noisy_labels.gaussian_mixture import fit_mixture, normalise


def forget_rate(final: float, finished: int, gradual: int) -> float:
    """Share of samples to forget in the epoch after `finished` ones.

    It is linear up to `final` over `gradual` epochs: the authors' schedule
    `linspace(0, final, gradual)` with their exponent 1. Their loop begins with its second entry,
    and so does this: of 10 gradual epochs the first forgets a ninth of `final`, and the ninth all
    of it.
    """
    steps = max(1, gradual - 1)
    return final * min(1.0, (finished + 1) / steps)


def smallest(losses: torch.Tensor, rate: float) -> torch.Tensor:
    """Places of the int((1 − rate)·n) smallest of losses (n,), at least one, the smallest first."""
    kept = int((1 - rate) * len(losses))
    order = losses.argsort(stable=True)
    return order[: max(1, kept)]


def estimated_rate(losses: np.ndarray, seed: int) -> float:
    """Share of wrong labels by DivideMix's mixture of losses (n,): 1 − mean clean probability."""
    mixture = fit_mixture(normalise(losses), seed)
    return 1 - float(mixture.clean_probability.mean())
