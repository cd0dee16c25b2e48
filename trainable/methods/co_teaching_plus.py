"""Co-teaching+ (Yu et al., ICML 2019, arXiv 1901.04215): Co-teaching where the networks disagree.

It follows the intent of github.com/xingruiyu/coteaching_plus. After `init_epochs`, a batch is
restricted to the samples for which the networks predict different classes. If there are none, both
networks learn from the whole batch during the first 5,000 steps, and skip the batch afterwards.
Errors of that code are corrected: cross-entropy of probabilities, omission of sample 0, comparison
of 5,000 with epoch × batch, and a second division of a mean.
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
        """Train one epoch of Co-teaching, on disagreement after `init_epochs`."""
        row = super().train_epoch()
        if self.epoch < self.method.init_epochs:
            row["phase"] = "warmup"
        return row

    def select(
        self, logits: list[torch.Tensor], given: torch.Tensor, rate: float
    ) -> tuple[Losses, Kept]:
        """Return the exchanged losses of the batch, or of its samples with disagreement."""
        self.steps += 1
        if self.epoch < self.method.init_epochs:
            return exchange(logits, given, rate)
        disagree = (logits[0].argmax(1) != logits[1].argmax(1)).nonzero()[:, 0]
        if len(disagree):
            restricted = [logits[0][disagree], logits[1][disagree]]
            losses, kept = exchange(restricted, given[disagree], rate)
            return losses, [disagree[kept[0]], disagree[kept[1]]]
        learn = self.steps <= AGREEING_STEPS
        total = F.cross_entropy(logits[0], given) + F.cross_entropy(logits[1], given)
        rows = len(given) if learn else 0
        every_row = torch.arange(rows, device=given.device)
        return (total * learn, {"loss/labeled": total / 2}), [every_row, every_row]

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the base class and the number of steps."""
        return {**super().state_dict(), "steps": self.steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from the result of `state_dict`."""
        super().load_state_dict(state)
        self.steps = state["steps"]
