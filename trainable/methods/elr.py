"""Early-learning regularisation: predictions stay near what they were.

Liu et al., NeurIPS 2020, arXiv 2007.00151. Follows `elr_loss` of github.com/shengliu66/ELR.
"""

from typing import Any

import torch
import torch.nn.functional as F

from trainable.config.methods import Elr as ElrConfig
from trainable.config.methods import ElrPlus as ElrPlusConfig
from trainable.config.trial import TrialConfig
from trainable.data.dataset import Dataset
from trainable.engine.learner import Learner
from trainable.methods.base import Losses, Method, Row
from trainable.noisy_labels.losses import clamped_softmax, early_learning_loss
from trainable.random_streams import Streams


class Elr(Method):
    """Each network on its own, with a target for every training sample.

    Attributes:
        targets: moving averages of predictions, (n, classes) a network; zero at first.
    """

    def __init__(
        self, config: TrialConfig, data: Dataset, learners: list[Learner], streams: Streams
    ):
        super().__init__(config, data, learners, streams)
        assert isinstance(config.method, ElrConfig | ElrPlusConfig)
        self.method: ElrConfig | ElrPlusConfig = config.method
        self.targets = [
            torch.zeros(len(data.train), data.classes, device=data.train.device) for _ in learners
        ]

    def train_epoch(self) -> Row:
        """One epoch of regularised cross-entropy for each network."""
        row = self.each_in_turn(self.loss)
        self.record_losses()
        return {"phase": self.config.method.name, **row}

    def loss(
        self, k: int, images: torch.Tensor, given: torch.Tensor, index: torch.Tensor
    ) -> Losses:
        """Cross-entropy with the given labels, and the regulariser with the targets just moved."""
        logits = self.learners[k](images)
        targets = self.move_targets(k, index, clamped_softmax(logits.detach()))
        labeled = F.cross_entropy(logits, given)
        early = early_learning_loss(logits, targets)
        terms = {"loss/labeled": labeled, "loss/early_learning": early}
        return labeled + self.method.lambda_elr * early, terms

    def move_targets(self, k: int, index: torch.Tensor, predictions: torch.Tensor) -> torch.Tensor:
        """Network k's targets (batch, classes) of the samples at `index` (batch,).

        They are moved towards predictions (batch, classes) first.
        """
        beta = self.method.beta
        targets = self.targets[k]
        towards = predictions / predictions.sum(1, keepdim=True)
        targets[index] = beta * targets[index] + (1 - beta) * towards
        return targets[index]

    def state_dict(self) -> dict[str, Any]:
        """The shared state and the targets."""
        return {**super().state_dict(), "targets": self.targets}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from `state_dict`'s result."""
        super().load_state_dict(state)
        self.targets = [targets.to(self.data.train.device) for targets in state["targets"]]
