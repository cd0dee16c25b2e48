"""Soft targets and mixing: sharpen, co-guess, co-refine, MixUp.

They follow `train` in the authors' `Train_cifar.py`.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F


def sharpen(probabilities: torch.Tensor, temperature: float) -> torch.Tensor:
    """p^(1/T) normalised over the last axis.

    It is computed in logarithms, so a small T does not underflow to 0/0.
    """
    if temperature == 1:
        return probabilities
    return (probabilities.log() / temperature).softmax(-1)  # a zero stays exactly zero


def harden(probabilities: torch.Tensor) -> torch.Tensor:
    """The one-hot of the largest entry over the last axis: what `sharpen` tends to as T falls."""
    classes = probabilities.shape[-1]
    return F.one_hot(probabilities.argmax(-1), classes).to(probabilities.dtype)


def co_guess(predictions: Sequence[torch.Tensor], temperature: float) -> torch.Tensor:
    """Target of unlabeled samples (batch, classes): the sharpened mean of such predictions."""
    return sharpen(torch.stack(tuple(predictions)).mean(0), temperature)


def co_refine(
    labels: torch.Tensor,
    clean_probability: torch.Tensor,
    predictions: Sequence[torch.Tensor],
    temperature: float,
) -> torch.Tensor:
    """Target of labeled samples (batch, classes): w·label + (1−w)·mean prediction, then sharpened.

    `labels` are one-hot (batch, classes); w = `clean_probability` (batch,) comes from the peer, the
    predictions from the trained network.
    """
    weight = clean_probability[:, None]
    mean = torch.stack(tuple(predictions)).mean(0)
    return sharpen(weight * labels + (1 - weight) * mean, temperature)


def mix(rows: torch.Tensor, weight: float, partner: torch.Tensor) -> torch.Tensor:
    """weight·row + (1−weight)·its partner row; `partner` is a permutation of the first axis."""
    return torch.lerp(rows[partner], rows, weight)


def mixup_partners(
    rng: np.random.Generator, rows: int, labeled_rows: int, same_set: bool
) -> np.ndarray:
    """MixUp partners (rows,) of a batch whose first rows are labeled.

    A row's partner is any row, or one of its own side.
    """
    if not same_set:
        return rng.permutation(rows)
    of_labeled = rng.permutation(labeled_rows)
    of_unlabeled = labeled_rows + rng.permutation(rows - labeled_rows)
    return np.concatenate([of_labeled, of_unlabeled])
