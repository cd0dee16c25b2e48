"""Early-learning regularisation (ELR): predictions are kept near their moving average.

Liu et al., NeurIPS 2020, arXiv 2007.00151. It follows `elr_loss` of github.com/shengliu66/ELR.
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
    """ELR of each network separately, with a target for every training sample.

    Attributes:
        targets: moving averages of predictions, one (n, classes) per network; initially zero.
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
        """Train each network for one epoch with regularised cross-entropy."""
        row = self.each_in_turn(self.loss)
        self.record_losses()
        return {"phase": self.config.method.name, **row}

    def loss(
        self, k: int, images: torch.Tensor, given: torch.Tensor, index: torch.Tensor
    ) -> Losses:
        """Return cross-entropy with the given labels plus the regulariser, and both terms.

        The targets are updated first.
        """
        logits = self.learners[k](images)
        self.note_logits(k, index, logits, given)
        targets = self.move_targets(k, index, clamped_softmax(logits.detach()))
        labeled = F.cross_entropy(logits, given)
        early = early_learning_loss(logits, targets)
        terms = {"loss/labeled": labeled, "loss/early_learning": early}
        return labeled + self.method.lambda_elr * early, terms

    def move_targets(self, k: int, index: torch.Tensor, predictions: torch.Tensor) -> torch.Tensor:
        """Update network k's targets of the samples at `index` (batch,) and return them.

        Targets and predictions are (batch, classes).
        """
        beta = self.method.beta
        targets = self.targets[k]
        normalised = predictions / predictions.sum(1, keepdim=True)
        targets[index] = beta * targets[index] + (1 - beta) * normalised
        return targets[index]

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the base class and the targets."""
        return {**super().state_dict(), "targets": self.targets}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from the result of `state_dict`."""
        super().load_state_dict(state)
        self.targets = [targets.to(self.data.train.device) for targets in state["targets"]]
