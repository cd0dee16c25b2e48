"""Co-teaching: each network learns from the small-loss samples of the other.

Han et al., NeurIPS 2018, arXiv 1804.06872. It follows `loss_coteaching` of
github.com/bhanML/Co-teaching with one exception. That code divides the mean loss by the number of
samples once more, which has no effect with Adam but would have with SGD.
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
        """Return each network's cross-entropy on the samples that its peer selects."""
        return exchange(logits, given, rate)


def exchange(logits: list[torch.Tensor], given: torch.Tensor, rate: float) -> tuple[Losses, Kept]:
    """Return the mean cross-entropies of two networks on the samples that the other one selects.

    The loss is the sum of both terms. A network's weights occur in its own term only, so one step
    on the sum is a step of each network on its term.

    Args:
        logits: one (batch, classes) per network.
        given: (batch,) labels.
        rate: share of the batch that is dropped.

    Returns:
        The loss with its terms, and the positions in the batch that each network selects.
    """
    first = F.cross_entropy(logits[0], given, reduction="none")
    second = F.cross_entropy(logits[1], given, reduction="none")
    kept_by_first = smallest(first.detach(), rate)
    kept_by_second = smallest(second.detach(), rate)
    total = first[kept_by_second].mean() + second[kept_by_first].mean()
    return (total, {"loss/labeled": total / 2}), [kept_by_first, kept_by_second]
