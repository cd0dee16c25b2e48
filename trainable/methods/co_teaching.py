"""Co-teaching (Han et al., NeurIPS 2018, arXiv 1804.06872): each network learns from what the other finds easiest.

Follows `loss_coteaching` of github.com/bhanML/Co-teaching, but for its dividing the mean loss by the number of samples
once more, which Adam does not notice and SGD would.
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
    """Two networks' mean cross-entropies on the samples that the other keeps: their sum, and each one's own choice.

    A network's weights enter its own term only, so one step on the sum is a step of each on its term.
    """
    losses = [F.cross_entropy(each, given, reduction="none") for each in logits]
    kept = [smallest(loss.detach(), rate) for loss in losses]
    total = losses[0][kept[1]].mean() + losses[1][kept[0]].mean()
    return (total, {"loss/labeled": total / 2}), kept
