"""MixUp: cross-entropy on images and labels that are mixed in pairs.

Zhang et al., ICLR 2018, arXiv 1710.09412. As in the authors' code
(github.com/facebookresearch/mixup-cifar10), a batch has one weight and one permutation of partners,
and the weight may be below 0.5.
"""

import numpy as np
import torch
import torch.nn.functional as F

from trainable.config.methods import MixUp as MixUpConfig
from trainable.config.trial import TrialConfig
from trainable.data.dataset import Dataset
from trainable.engine.learner import Learner
from trainable.methods.base import Losses, Method, Row
from trainable.noisy_labels.losses import labeled_loss
from trainable.noisy_labels.targets import mix
from trainable.random_streams import Streams


class MixUp(Method):
    """MixUp of each network separately."""

    def __init__(
        self, config: TrialConfig, data: Dataset, learners: list[Learner], streams: Streams
    ):
        super().__init__(config, data, learners, streams)
        assert isinstance(config.method, MixUpConfig)
        self.method = config.method

    def train_epoch(self) -> Row:
        """Train each network for one epoch on mixed batches."""
        draws = [self.streams.numpy("mixup", self.epoch, k) for k in range(len(self.learners))]

        def loss(k: int, images: torch.Tensor, given: torch.Tensor, index: torch.Tensor) -> Losses:
            weight, partner = mixing(draws[k], self.method.alpha, len(given), given.device)
            one_hot = F.one_hot(given, self.data.classes).float()
            logits = self.learners[k](mix(images, weight, partner))
            value = labeled_loss(logits, mix(one_hot, weight, partner))
            return value, {"loss/labeled": value}

        row = self.each_in_turn(loss)
        self.record_losses()
        return {"phase": "mixup", **row}


def mixing(
    rng: np.random.Generator, alpha: float, rows: int, device: torch.device
) -> tuple[float, torch.Tensor]:
    """Draw the weight ~ Beta(alpha, alpha) of a batch and the partners (rows,) of its rows."""
    weight = rng.beta(alpha, alpha)
    partners = rng.permutation(rows)
    return weight, torch.from_numpy(partners).to(device)
