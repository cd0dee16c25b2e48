"""Loss terms of DivideMix as in the authors' `Train_cifar.py`. Logits and targets are (batch, classes)."""

import torch
import torch.nn.functional as F


def labeled_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Cross-entropy with soft targets, mean over rows (`SemiLoss`'s Lx)."""
    return -(targets * F.log_softmax(logits, 1)).sum(1).mean()


def unlabeled_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Squared difference of probabilities, mean over rows *and* classes (`SemiLoss`'s Lu; the paper sums classes)."""
    return (logits.softmax(1) - targets).square().mean()


def prior_loss(logits: torch.Tensor) -> torch.Tensor:
    """KL(uniform ‖ mean prediction) over all rows. A vanished class counts 1e-8: it stays finite."""
    mean = logits.softmax(1).mean(0).clamp_min(1e-8)
    uniform = 1 / logits.shape[1]
    return (uniform * (uniform / mean).log()).sum()


def negative_entropy(logits: torch.Tensor) -> torch.Tensor:
    """Mean of Σ p log p, the warm-up penalty for class-dependent noise (`NegEntropy`), finite for any logits."""
    log_p = F.log_softmax(logits, 1)
    return (log_p.exp() * log_p).sum(1).mean()


def ramp_up(epoch: float, start: float, length: float) -> float:
    """Weight in [0, 1], linear from `start` over `length` epochs; `epoch` counts finished ones, with parts."""
    if length == 0:
        return 1.0
    return min(max((epoch - start) / length, 0.0), 1.0)
