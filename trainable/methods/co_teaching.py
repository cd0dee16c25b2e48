"""Co-teaching: each network learns from what the other finds easiest.

Han et al., NeurIPS 2018, arXiv 1804.06872. Follows `loss_coteaching` of
github.com/bhanML/Co-teaching, but for its dividing the mean loss by the number of samples once
more, which Adam does not notice and SGD would.
"""

import torch
import torch.nn.functional as F

from trainable.methods.base import Losses
from trainable.methods.small_loss import Kept, SmallLoss
from trainable.noisy_labels.forget_rate import smallest


class CoTeaching(SmallLoss):
    """Two networks that exchange their small-loss samples."""

    def select(
        self, logits: list[torch.Tensor], given: torch.Tensor, rate: float
    ) -> tuple[Losses, Kept]:
        """Each network's cross-entropy on its peer's choice."""
        return exchange(logits, given, rate)


def exchange(logits: list[torch.Tensor], given: torch.Tensor, rate: float) -> tuple[Losses, Kept]:
    """Two networks' mean cross-entropies on the samples that the other keeps.

    Returns their sum, and each network's own choice. A network's weights enter its own term only,
    so one step on the sum is a step of each on its term.
    """
    first = F.cross_entropy(logits[0], given, reduction="none")
    second = F.cross_entropy(logits[1], given, reduction="none")
    kept_by_first = smallest(first.detach(), rate)
    kept_by_second = smallest(second.detach(), rate)
    total = first[kept_by_second].mean() + second[kept_by_first].mean()
    return (total, {"loss/labeled": total / 2}), [kept_by_first, kept_by_second]
