"""Ramp-up of loss weights: DivideMix's unlabeled loss over epochs, ELR's terms over steps."""

import math


def ramp_up(epoch: float, start: float, length: float) -> float:
    """Return the weight in [0, 1], which grows linearly from `start` over `length` epochs.

    `epoch` is the fractional number of completed epochs. With `length` 0 the weight is 1.
    """
    if length == 0:
        return 1.0
    share = (epoch - start) / length
    return min(max(share, 0.0), 1.0)


def sigmoid_ramp_up(step: float, length: float) -> float:
    """Return ELR's weight exp(−5 (1 − step/length)²): 0.0067 at step 0, 1 from `length` on."""
    if length == 0:
        return 1.0
    share = min(step / length, 1.0)
    return math.exp(-5 * (1 - share) ** 2)
