"""ELR+: ELR with MixUp, and targets by the EMA of the other network.

Liu et al., NeurIPS 2020, arXiv 2007.00151. It follows `Trainer._train_epoch` and `elr_plus_loss` of
github.com/shengliu66/ELR on one GPU. There the targets of the second network come from the already
updated EMA of the first. The EMA is one of weights. As in that code, the EMA stays in train mode,
so BatchNorm uses the statistics of the batch. Both networks have the same given labels. The
authors' code draws label noise again for the second network. A label that is wrong for one network
is then often right for the other.
"""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from trainable.config.methods import ElrPlus as ElrPlusConfig
from trainable.config.trial import TrialConfig
from trainable.data.dataset import Dataset
from trainable.engine.learner import Learner
from trainable.methods.base import Losses, Row
from trainable.methods.elr import Elr
from trainable.methods.mixup import mixing
from trainable.noisy_labels.losses import early_learning_loss, labeled_loss
from trainable.noisy_labels.ramp_up import sigmoid_ramp_up
from trainable.noisy_labels.targets import mix
from trainable.random_streams import Streams


class ElrPlus(Elr):
    """Two networks in turn, each with an EMA of its weights that predicts the other's targets."""

    method: ElrPlusConfig

    def __init__(
        self, config: TrialConfig, data: Dataset, learners: list[Learner], streams: Streams
    ):
        super().__init__(config, data, learners, streams)
        self.averages = [learner.frozen() for learner in learners]
        self.steps = [0 for _ in learners]
        self.draws: list[np.random.Generator] = []

    def train_epoch(self) -> Row:
        """Train each network for one epoch on mixed batches with regularised cross-entropy."""
        networks = range(len(self.learners))
        self.draws = [self.streams.numpy("mixup", self.epoch, k) for k in networks]
        return super().train_epoch()

    def loss(
        self, k: int, images: torch.Tensor, given: torch.Tensor, index: torch.Tensor
    ) -> Losses:
        """Return ELR's loss with mixed labels and targets, and its terms.

        The targets are first updated with the predictions of the peer's EMA.
        """
        m = self.method
        targets = self.move_targets(k, index, self.averages[1 - k].probabilities(images))
        drawn, partner = mixing(self.draws[k], m.alpha, len(given), given.device)
        weight = max(drawn, 1 - drawn)
        inputs = mix(images, weight, partner)
        labels = mix(F.one_hot(given, self.data.classes).float(), weight, partner)
        targets = mix(targets, weight, partner)
        if m.label_times_target:
            labels = F.normalize(labels * targets, p=1, dim=1)
        logits = self.learners[k](inputs)
        labeled = labeled_loss(logits, labels)
        early = early_learning_loss(logits, targets)
        lambda_elr = m.lambda_elr * sigmoid_ramp_up(self.steps[k] + 1, m.rampup_steps)
        terms = {"loss/labeled": labeled, "loss/early_learning": early}
        return labeled + lambda_elr * early, terms

    def descend(self, k: int, loss: torch.Tensor) -> None:
        """Take one step of network k and update its EMA."""
        super().descend(k, loss)
        self.steps[k] += 1
        m = self.method
        decay = m.ema_decay * sigmoid_ramp_up(self.steps[k] + 1, m.ema_rampup_steps)
        averages = self.averages[k].network.parameters()
        weights = self.learners[k].network.parameters()
        with torch.no_grad():
            for average, weight in zip(averages, weights, strict=True):
                average.lerp_(weight, 1 - decay)

    @property
    def forwards(self) -> int:
        """Image-forward equivalents so far, including the predictions of the EMAs."""
        return super().forwards + sum(average.forwards for average in self.averages)

    def state_dict(self) -> dict[str, Any]:
        """Return ELR's state, the EMAs and the number of steps."""
        state = super().state_dict()
        state["averages"] = []
        for average in self.averages:
            saved = {"network": average.network.state_dict(), "forwards": average.forwards}
            state["averages"].append(saved)
        state["steps"] = self.steps
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from the result of `state_dict`."""
        super().load_state_dict(state)
        self.steps = list(state["steps"])
        for average, saved in zip(self.averages, state["averages"], strict=True):
            average.network.load_state_dict(saved["network"])
            average.forwards = saved["forwards"]
