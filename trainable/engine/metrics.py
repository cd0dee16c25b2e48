"""Measures of accuracy and of the division. True labels enter here and nowhere else."""

import numpy as np
import torch
from scipy.stats import rankdata


def accuracy(logits: torch.Tensor, labels: torch.Tensor, top: int = 1) -> float:
    """Percent of rows of logits (n, classes) whose label (n,) is among the `top` largest."""
    if top == 1:
        right = logits.argmax(1) == labels
    else:
        right = (logits.topk(top, 1).indices == labels[:, None]).any(1)
    return 100 * right.double().mean().item()


def auc(score: np.ndarray, positive: np.ndarray) -> float | None:
    """Area under the ROC curve of a score (n,) for positives (n,) bool.

    Ties count half; None if there are no positives, or nothing else.
    """
    positives = int(positive.sum())
    negatives = len(positive) - positives
    if positives == 0 or negatives == 0:
        return None
    ranks = rankdata(score)[positive].sum()
    wins = ranks - positives * (positives + 1) / 2
    return float(wins / (positives * negatives))


def division(
    clean_probability: np.ndarray, labeled: np.ndarray, clean: np.ndarray
) -> dict[str, float]:
    """How well a division finds the clean samples (all arrays (n,); `clean` is the truth, bool).

    Precision and recall are of "clean"; residual noise is 1 − precision. What is undefined is left
    out.
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
