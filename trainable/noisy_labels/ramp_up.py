"""Weights that grow with the epochs or steps: of the unlabeled loss (DivideMix), of the regulariser (ELR)."""

import math


def ramp_up(epoch: float, start: float, length: float) -> float:
    """Weight in [0, 1], linear from `start` over `length` epochs; `epoch` counts finished ones, with parts."""
    if length == 0:
        return 1.0
    return min(max((epoch - start) / length, 0.0), 1.0)


def sigmoid_ramp_up(step: float, length: float) -> float:
    """ELR's weight exp(−5 (1 − step/length)²), from 0.0067 at step 0 to 1 at `length`, where it stays."""
    if length == 0:
        return 1.0
    return math.exp(-5 * (1 - min(step / length, 1.0)) ** 2)
