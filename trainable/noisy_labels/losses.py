"""Loss terms. Logits and targets are (batch, classes).

DivideMix's terms follow the authors' `Train_cifar.py`, ELR's terms github.com/shengliu66/ELR.
"""

import torch
import torch.nn.functional as F


def labeled_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the cross-entropy with soft targets, mean over rows (`SemiLoss`'s Lx)."""
    return -(targets * F.log_softmax(logits, 1)).sum(1).mean()


def unlabeled_loss(
    logits: torch.Tensor, targets: torch.Tensor, over_classes: str = "mean"
) -> torch.Tensor:
    """Return the squared difference of probabilities, mean over rows.

    `over_classes` is the reduction over classes: `mean` (`SemiLoss`'s Lu) or `sum` (paper).
    """
    squares = (logits.softmax(1) - targets).square()
    if over_classes == "sum":
        return squares.sum(1).mean()
    return squares.mean()


def prior_loss(logits: torch.Tensor, prior: torch.Tensor | None = None) -> torch.Tensor:
    """Return KL(prior ‖ mean prediction of all rows), nats.

    `prior` (classes,) sums to 1; None: uniform. The mean prediction is at least 1e-8, so the result
    is finite.
    """
    predicted = logits.softmax(1)
    mean = predicted.mean(0).clamp_min(1e-8)
    if prior is None:
        uniform = 1 / logits.shape[1]
        return (uniform * (uniform / mean).log()).sum()
    return (prior * (prior / mean).log()).sum()


def negative_entropy(logits: torch.Tensor) -> torch.Tensor:
    """Return the mean of Σ p log p, the warm-up penalty for class-dependent noise (`NegEntropy`).

    It is finite for all finite logits.
    """
    log_p = F.log_softmax(logits, 1)
    return (log_p.exp() * log_p).sum(1).mean()


def early_learning_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return ELR's regulariser, the mean of log(1 − ⟨target, prediction⟩).

    It decreases as predictions approach their targets.
    """
    product = (targets * clamped_softmax(logits)).sum(1)
    return (1 - product).log().mean()


def clamped_softmax(logits: torch.Tensor) -> torch.Tensor:
    """Return ELR's probabilities, clamped to [1e-4, 1 − 1e-4]."""
    return logits.softmax(1).clamp(1e-4, 1 - 1e-4)
