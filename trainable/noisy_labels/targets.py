"""Soft targets and mixing: sharpening, co-guessing, co-refinement, MixUp.

The functions follow `train` in the authors' `Train_cifar.py`.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F


def sharpen(probabilities: torch.Tensor, temperature: float) -> torch.Tensor:
    """Return p^(1/T), normalised over the last axis.

    It is computed from logarithms, so a small T does not underflow to 0/0.
    """
    if temperature == 1:
        return probabilities
    return (probabilities.log() / temperature).softmax(-1)  # zeros remain exactly zero


def harden(probabilities: torch.Tensor) -> torch.Tensor:
    """Return the one-hot vector of the largest entry of the last axis: `sharpen` as T → 0."""
    classes = probabilities.shape[-1]
    return F.one_hot(probabilities.argmax(-1), classes).to(probabilities.dtype)


def co_guess(predictions: Sequence[torch.Tensor], temperature: float) -> torch.Tensor:
    """Return targets of unlabeled samples (batch, classes): the sharpened mean of predictions.

    `predictions` are (batch, classes) each.
    """
    return sharpen(torch.stack(tuple(predictions)).mean(0), temperature)


def co_refine(
    labels: torch.Tensor,
    clean_probability: torch.Tensor,
    predictions: Sequence[torch.Tensor],
    temperature: float,
) -> torch.Tensor:
    """Return targets of labeled samples (batch, classes): w·label + (1−w)·mean prediction.

    They are then sharpened.

    Args:
        labels: one-hot (batch, classes).
        clean_probability: w, (batch,), by the peer.
        predictions: those of the trained network, (batch, classes) each.
        temperature: T of `sharpen`.
    """
    weight = clean_probability[:, None]
    mean = torch.stack(tuple(predictions)).mean(0)
    return sharpen(weight * labels + (1 - weight) * mean, temperature)


def mix(rows: torch.Tensor, weight: float, partner: torch.Tensor) -> torch.Tensor:
    """Return weight·row + (1−weight)·partner row; `partner` is a permutation of the first axis."""
    return torch.lerp(rows[partner], rows, weight)


def mixup_partners(
    rng: np.random.Generator, rows: int, labeled_rows: int, same_set: bool
) -> np.ndarray:
    """Draw MixUp partners (rows,) of a batch whose first `labeled_rows` rows are labeled.

    The partner of a row is any row, or with `same_set` a row of the same set.
    """
    if not same_set:
        return rng.permutation(rows)
    of_labeled = rng.permutation(labeled_rows)
    of_unlabeled = labeled_rows + rng.permutation(rows - labeled_rows)
    return np.concatenate([of_labeled, of_unlabeled])
