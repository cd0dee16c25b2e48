"""Small-loss selection: which samples of a batch are kept, and which are forgotten (dropped).

Han et al. 2018. Networks first learn what most labels of a class have in common, so few samples
need to be dropped in early epochs. The dropped share grows to its final value, which is about the
share of wrong labels.
"""

import numpy as np
import torch

from trainable.noisy_labels.gaussian_mixture import fit_mixture, normalise


def forget_rate(final: float, finished: int, gradual: int) -> float:
    """Return the share of samples to forget in the epoch after `finished` epochs.

    It grows linearly to `final` over `gradual` epochs. This is the authors' schedule
    `linspace(0, final, gradual)` with their exponent 1, from its second entry on, as in their loop.
    With 10 gradual epochs, the share is a ninth of `final` in the first epoch, and `final` in the
    ninth.
    """
    steps = max(1, gradual - 1)
    return final * min(1.0, (finished + 1) / steps)


def smallest(losses: torch.Tensor, rate: float) -> torch.Tensor:
    """Return the positions of the int((1 − rate)·n) smallest of losses (n,), in ascending order.

    There is at least one.
    """
    kept = int((1 - rate) * len(losses))
    order = losses.argsort(stable=True)
    return order[: max(1, kept)]


def estimated_rate(losses: np.ndarray) -> float:
    """Return the estimated share of wrong labels, by DivideMix's mixture of losses (n,).

    It is 1 − mean clean probability.
    """
    mixture = fit_mixture(normalise(losses))
    return 1 - float(mixture.clean_probability.mean())
