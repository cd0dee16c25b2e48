"""Measures of accuracy and of the division. True labels enter here and nowhere else."""

import numpy as np
import torch
from scipy.stats import rankdata


def accuracy(logits: torch.Tensor, labels: torch.Tensor, top: int = 1) -> float:
    """Percent of rows of logits (n, classes) whose label (n,) is among the `top` largest."""
    if top == 1:
        return 100 * (logits.argmax(1) == labels).double().mean().item()
    return 100 * (logits.topk(top, 1).indices == labels[:, None]).any(1).double().mean().item()


def auc(score: np.ndarray, positive: np.ndarray) -> float | None:
    """Area under the ROC curve of a score (n,) for positives (n,) bool; ties count half, None if a class is empty."""
    n = int(positive.sum())
    if n == 0 or n == len(positive):
        return None
    wins = rankdata(score)[positive].sum() - n * (n + 1) / 2
    return float(wins / (n * (len(positive) - n)))


def division(
    clean_probability: np.ndarray, labeled: np.ndarray, clean: np.ndarray
) -> dict[str, float]:
    """How well a division finds the clean samples (all arrays (n,); `clean` is the truth, bool).

    Precision and recall are of "clean"; residual noise is 1 − precision. What is undefined is left out.
    """
    values = {"auc": auc(clean_probability, clean)}
    hits = int((labeled & clean).sum())
    if labeled.any():
        values |= {
            "precision": hits / int(labeled.sum()),
            "residual_noise": 1 - hits / int(labeled.sum()),
        }
    if clean.any():
        values["recall"] = hits / int(clean.sum())
    return {name: value for name, value in values.items() if value is not None}
