"""Co-teaching+ (Yu et al., ICML 2019, arXiv 1901.04215): Co-teaching where the networks disagree.

Follows the intent of github.com/xingruiyu/coteaching_plus: after `init_epochs` a batch is
restricted to the samples that the networks put into different classes; where there are none, both
learn from the whole batch during the first 5,000 steps, and not at all after. Slips of that code
are not repeated: cross-entropy of probabilities, sample 0 left out, 5,000 compared with epoch ×
batch, a mean divided again.
"""

from typing import Any

import torch
import torch.nn.functional as F

from trainable.config.methods import CoTeachingPlus as CoTeachingPlusConfig
from trainable.config.trial import TrialConfig
from trainable.data.dataset import Dataset
from trainable.engine.learner import Learner
from trainable.methods.base import Losses, Row
from trainable.methods.co_teaching import exchange
from trainable.methods.small_loss import Kept, SmallLoss
from trainable.random_streams import Streams

AGREEING_STEPS = 5000


class CoTeachingPlus(SmallLoss):
    """Two networks that exchange small-loss samples among those on which they disagree."""

    def __init__(
        self, config: TrialConfig, data: Dataset, learners: list[Learner], streams: Streams
    ):
        super().__init__(config, data, learners, streams)
        assert isinstance(config.method, CoTeachingPlusConfig)
        self.method = config.method
        self.steps = 0

    def train_epoch(self) -> Row:
        """An epoch of Co-teaching, or of Co-teaching on disagreement."""
        row = super().train_epoch()
        if self.epoch < self.method.init_epochs:
            row["phase"] = "warmup"
        return row

    def select(
        self, logits: list[torch.Tensor], given: torch.Tensor, rate: float
    ) -> tuple[Losses, Kept]:
        """The exchange on the batch, or on what the networks disagree about."""
        self.steps += 1
        if self.epoch < self.method.init_epochs:
            return exchange(logits, given, rate)
        apart = (logits[0].argmax(1) != logits[1].argmax(1)).nonzero()[:, 0]
        if len(apart):
            disputed = [logits[0][apart], logits[1][apart]]
            losses, kept = exchange(disputed, given[apart], rate)
            return losses, [apart[kept[0]], apart[kept[1]]]
        learn = self.steps <= AGREEING_STEPS
        total = F.cross_entropy(logits[0], given) + F.cross_entropy(logits[1], given)
        rows = len(given) if learn else 0
        everything = torch.arange(rows, device=given.device)
        return (total * learn, {"loss/labeled": total / 2}), [everything, everything]

    def state_dict(self) -> dict[str, Any]:
        """The shared state and the number of steps."""
        return {**super().state_dict(), "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from `state_dict`'s result."""
        super().load_state_dict(state)
        self.steps = state["steps"]
