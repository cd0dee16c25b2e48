"""JoCoR (Wei et al., CVPR 2020, arXiv 2003.02752) with any number of networks and three contrasts.

It follows `loss_jocor` of github.com/hongxin001/JoCoR. More than two networks, the circular
contrast and the cross-entropy contrast follow Fazekas, Forián and Barta (Infocommunications Journal
2023, doi 10.36244/icj.2023.5.2). Contrasts are computed from log-softmax, so they are finite for
vanishing probabilities.
"""

from itertools import permutations

import torch
import torch.nn.functional as F

from trainable.config.methods import Jocor as JocorConfig
from trainable.config.trial import TrialConfig
from trainable.data.dataset import Dataset
from trainable.engine.learner import Learner
from trainable.methods.base import Losses
from trainable.methods.small_loss import Kept, SmallLoss
from trainable.noisy_labels.forget_rate import smallest
from trainable.random_streams import Streams


class Jocor(SmallLoss):
    """Networks that select samples by a joint loss, which includes their disagreement."""

    def __init__(
        self, config: TrialConfig, data: Dataset, learners: list[Learner], streams: Streams
    ):
        super().__init__(config, data, learners, streams)
        assert isinstance(config.method, JocorConfig)
        self.method = config.method

    def select(
        self, logits: list[torch.Tensor], given: torch.Tensor, rate: float
    ) -> tuple[Losses, Kept]:
        """Return the mean joint loss of the small-loss samples; all networks keep the same."""
        labels, divergence = joint_losses(self.method, logits, given)
        co_lambda = self.method.co_lambda
        joint = (1 - co_lambda) * labels + co_lambda * divergence
        kept = smallest(joint.detach(), rate)
        terms = {
            "loss/labeled": labels[kept].mean() / len(logits),
            "loss/contrast": divergence[kept].mean(),
        }
        return (joint[kept].mean(), terms), [kept] * len(logits)


def joint_losses(
    m: JocorConfig, logits: list[torch.Tensor], given: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return each sample's cross-entropy with its label and its contrast, (batch,) each.

    The first is a sum over networks, the second over pairs, as in the authors' code.
    """
    labels = torch.stack([F.cross_entropy(each, given, reduction="none") for each in logits]).sum(0)
    return labels, contrast(logits, m.contrast)


def contrast(logits: list[torch.Tensor], kind: str) -> torch.Tensor:
    """Return the divergence of the networks' predictions for each sample, (batch,).

    The gradient flows through both sides.

    Args:
        logits: one (batch, classes) per network.
        kind: `pairs`: sum of KL(a ‖ b) over all ordered pairs of networks. `circular`: sum over
            each network and the next. `cross_entropy`: sum of H(a, b), which is KL(a ‖ b) plus the
            entropy of a, over all ordered pairs.
    """
    logs = [each.log_softmax(1) for each in logits]
    if kind == "circular":
        pairs = list(zip(logs, logs[1:] + logs[:1], strict=True))
    else:
        pairs = list(permutations(logs, 2))
    terms = []
    for a, b in pairs:
        # `exp` first: gradients are summed, and so rounded, in the order of these operations.
        probabilities = a.exp()
        difference = 0 - b if kind == "cross_entropy" else a - b
        terms.append((probabilities * difference).sum(1))
    return torch.stack(terms).sum(0)
