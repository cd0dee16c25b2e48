"""`mixup: auto`: MixUp where the given labels are hard to predict.

MixUp keeps a network from memorising labels, and makes it learn more slowly. The first is worth
more where a network that has just been warmed up predicts few of the labels that it was not trained
on, because most labels are wrong or the images are hard (docs/when-it-helps.md has the trials).
"""

import torch

POOR = 0.25
"""Kappa below which labels count as hard to predict."""


def kappa(predicted: torch.Tensor, given: torch.Tensor, classes: int) -> float:
    """Return Cohen's kappa of predictions and labels: agreement beyond chance.

    0 is what chance gives, 1 is full agreement (Cohen, Educational and Psychological Measurement
    20, 1960). Where both are one and the same class throughout, chance explains everything: 0.

    Args:
        predicted: classes, (m,).
        given: labels, (m,).
        classes: number of classes.
    """
    agreement = (predicted == given).double().mean()
    shares = [torch.bincount(x, minlength=classes) / len(x) for x in (predicted, given)]
    chance = (shares[0].double() * shares[1]).sum()
    if chance == 1:
        return 0.0
    return float((agreement - chance) / (1 - chance))


def hard_to_predict(measured: float) -> bool:
    """Return whether labels with this kappa are hard to predict."""
    return measured < POOR
