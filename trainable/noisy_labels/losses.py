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
    """Squared difference of probabilities: mean over rows, over classes the mean (`SemiLoss`'s Lu) or sum (paper)."""
    squares = (logits.softmax(1) - targets).square()
    return squares.sum(1).mean() if over_classes == "sum" else squares.mean()


def prior_loss(logits: torch.Tensor, prior: torch.Tensor | None = None) -> torch.Tensor:
    """KL(prior ‖ mean prediction) over all rows; `prior` (classes,) sums to 1, None is uniform.

    A vanished class counts 1e-8: it stays finite.
    """
    mean = logits.softmax(1).mean(0).clamp_min(1e-8)
    expected = 1 / logits.shape[1] if prior is None else prior
    return (expected * (expected / mean).log()).sum()


def negative_entropy(logits: torch.Tensor) -> torch.Tensor:
    """Mean of Σ p log p, the warm-up penalty for class-dependent noise (`NegEntropy`), finite for any logits."""
    log_p = F.log_softmax(logits, 1)
    return (log_p.exp() * log_p).sum(1).mean()


def early_learning_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """ELR's regulariser, the mean of log(1 − ⟨target, prediction⟩): it falls as predictions near their targets."""
    return (1 - (targets * clamped_softmax(logits)).sum(1)).log().mean()


def clamped_softmax(logits: torch.Tensor) -> torch.Tensor:
    """ELR's probabilities, kept within [1e-4, 1 − 1e-4]."""
    return logits.softmax(1).clamp(1e-4, 1 - 1e-4)
