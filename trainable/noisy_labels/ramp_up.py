"""Weights that grow with epochs or steps: of DivideMix's unlabeled loss, of ELR's regulariser."""

import math


def ramp_up(epoch: float, start: float, length: float) -> float:
    """Weight in [0, 1], linear from `start` over `length` epochs.

    `epoch` counts finished epochs, with parts.
    """
    if length == 0:
        return 1.0
    share = (epoch - start) / length
    return min(max(share, 0.0), 1.0)


def sigmoid_ramp_up(step: float, length: float) -> float:
    """ELR's weight exp(−5 (1 − step/length)²), from 0.0067 at step 0 to 1 from `length` on."""
    if length == 0:
        return 1.0
    share = min(step / length, 1.0)
    return math.exp(-5 * (1 - share) ** 2)
