"""Loss terms. Logits and targets are (batch, classes).

DivideMix's are as in the authors' `Train_cifar.py`, ELR's as in github.com/shengliu66/ELR.
"""

import torch
import torch.nn.functional as F


def labeled_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy with soft targets, mean over rows (`SemiLoss`'s Lx)."""
    return -(targets * F.log_softmax(logits, 1)).sum(1).mean()


def unlabeled_loss(
    logits: torch.Tensor, targets: torch.Tensor, over_classes: str = "mean"
) -> torch.Tensor:
    """Squared difference of probabilities, mean over rows.

    Over classes it is the mean (`SemiLoss`'s Lu) or the sum (paper).
    """
    squares = (logits.softmax(1) - targets).square()
    if over_classes == "sum":
        return squares.sum(1).mean()
    return squares.mean()


def prior_loss(logits: torch.Tensor, prior: torch.Tensor | None = None) -> torch.Tensor:
    """KL(prior ‖ mean prediction) over all rows; `prior` (classes,) sums to 1, None is uniform.

    A vanished class counts 1e-8: it stays finite.
    """
    predicted = logits.softmax(1)
    mean = predicted.mean(0).clamp_min(1e-8)
    if prior is None:
        uniform = 1 / logits.shape[1]
        return (uniform * (uniform / mean).log()).sum()
    return (prior * (prior / mean).log()).sum()


def negative_entropy(logits: torch.Tensor) -> torch.Tensor:
    """Mean of Σ p log p, the warm-up penalty for class-dependent noise (`NegEntropy`).

    It is finite for any logits.
    """
    log_p = F.log_softmax(logits, 1)
    return (log_p.exp() * log_p).sum(1).mean()


def early_learning_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """ELR's regulariser, the mean of log(1 − ⟨target, prediction⟩).

    It falls as predictions come near their targets.
    """
    product = (targets * clamped_softmax(logits)).sum(1)
    return (1 - product).log().mean()


def clamped_softmax(logits: torch.Tensor) -> torch.Tensor:
    """ELR's probabilities, kept within [1e-4, 1 − 1e-4]."""
    return logits.softmax(1).clamp(1e-4, 1 - 1e-4)
