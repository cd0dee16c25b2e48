"""Metrics of accuracy and of the division; only metrics use true labels."""

import numpy as np
import torch


def agreement(classes: torch.Tensor, labels: torch.Tensor) -> float:
    """Return the percentage of classes (n,) that equal the labels (n,)."""
    return 100 * (classes == labels).double().mean().item()


def auc(score: np.ndarray, positive: np.ndarray) -> float | None:
    """Return the area under the ROC curve of a score (n,) for positives (n,) bool.

    Ties count half. None: there are no positives, or no negatives.
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if positives == 0 or negatives == 0:
        return None
    ranks = _average_ranks(score)[positive].sum()
    wins = ranks - positives * (positives + 1) / 2
    return float(wins / (positives * negatives))


def _average_ranks(values: np.ndarray) -> np.ndarray:
    """Return the rank of each value (n,), from 1; equal values have the mean of their ranks."""
    _, position, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = counts.cumsum()
    ranks: np.ndarray = (last - (counts - 1) / 2)[position]
    return ranks


def division(
    clean_probability: np.ndarray, labeled: np.ndarray, clean: np.ndarray
) -> dict[str, float]:
    """Return AUC, precision, recall and residual noise (1 − precision) of a division, 0 to 1.

    The positive class is "clean". Undefined values are omitted.

    Args:
        clean_probability: (n,).
        labeled: (n,) bool, the labeled set.
        clean: (n,) bool, whether the given label is right.
    """
    values: dict[str, float] = {}
    area = auc(clean_probability, clean)
    if area is not None:
        values["auc"] = area
    hits = int((labeled & clean).sum())
    if labeled.any():
        precision = hits / int(labeled.sum())
        values["precision"] = precision
        values["residual_noise"] = 1 - precision
    if clean.any():
        values["recall"] = hits / int(clean.sum())
    return values
