"""SSR+: sample selection by neighbors, relabelling, MixUp and feature consistency.

Feng, Tzimiropoulos and Patras, BMVC 2022, arXiv 2111.11288. It follows `main_cifar.py` of
github.com/MrChenFeng/SSR_BMVC2022, with these differences:

- The labeled set has equally many samples of each class in a pass. Which samples of a small class
  occur once more than others is drawn uniformly.
- `train.lr_schedule: cosine` ends at 0 instead of a fiftieth of `train.lr`.
- The prediction head does not see weak views, because the authors' code does not use what it says
  of them.
- If no sample is selected, all are.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from trainable.config.methods import SsrPlus as SsrPlusConfig
from trainable.config.trial import TrialConfig
from trainable.data.dataset import Dataset
from trainable.data.samples import Samples
from trainable.engine.learner import Learner, build_optimizer
from trainable.methods.base import Method, Row
from trainable.methods.mixup import mixing
from trainable.models.head import head
from trainable.noisy_labels.losses import labeled_loss
from trainable.noisy_labels.neighbors import label_support
from trainable.noisy_labels.targets import mix
from trainable.random_streams import Streams
from trainable.storage.names import DIVISION_CHANGED

HIDDEN = 256
"""Width of the hidden layer of both consistency heads (authors' code)."""
PROJECTED = 128
"""Width of a projected feature (authors' code)."""


@dataclass(frozen=True)
class Selection:
    """Labels and labeled set of an epoch.

    Attributes:
        labels: (n,) the network's class where it is sure, else the given label.
        labeled: (n,) bool, whether the neighbors support the label.
    """

    labels: torch.Tensor
    labeled: torch.Tensor


class SsrPlus(Method):
    """One network that selects and relabels the samples for itself before each epoch.

    Attributes:
        consistency: heads on the features; they are used in training only.
    """

    def __init__(
        self, config: TrialConfig, data: Dataset, learners: list[Learner], streams: Streams
    ):
        super().__init__(config, data, learners, streams)
        assert isinstance(config.method, SsrPlusConfig)
        self.method = config.method
        width = head(learners[0].network).in_features
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(streams.number("consistency"))
            self.consistency = consistency_heads(width).to(data.train.device)
        self.optimizer = build_optimizer(self.consistency, config.train)

    def train_epoch(self) -> Row:
        """Select and relabel the samples, then train for one epoch."""
        rows = self.rows_of_pass(0)
        train = self.data.chosen(rows)
        with self.timed("divide"):
            features, probabilities = self.look(train)
            index = slice(None) if rows is None else torch.from_numpy(rows).to(train.device)
            self.predicted[DIVISION_CHANGED].add(0, index, probabilities.argmax(1))
            selected = select(features, probabilities, train.given, self.method)
        for group in self.optimizer.param_groups:
            group["lr"] = self.learners[0].optimizer.param_groups[0]["lr"]
        with self.timed("train"):
            row = self.train_on(train, selected)
        self.record_losses()
        return {"phase": "ssr_plus", **row, **described(selected, train)}

    @torch.no_grad()
    def look(self, train: Samples) -> tuple[torch.Tensor, torch.Tensor]:
        """Return features (n, width) and probabilities (n, classes) of a weak view of each sample.

        The network is in eval mode.
        """
        learner = self.learners[0]
        generator = self.streams.torch("look", self.epoch, device=train.device)
        views = train.draws(generator)
        everyone = torch.arange(len(train), device=train.device)
        logits = []
        with learner.mode("eval"), learner.keeping_features() as features:
            for batch in train.ahead(torch.split(everyone, train.most_at_once)):
                logits.append(learner.predict(train.views(batch, 1, views)[0]))
        return torch.cat(features).float(), torch.cat(logits).softmax(1)

    def train_on(self, train: Samples, selected: Selection) -> Row:
        """Train for one pass over all samples, in steps with as many labeled ones."""
        draws = train.draws(self.streams.torch("augment", self.epoch, 0, device=train.device))
        mixup = self.streams.numpy("mixup", self.epoch, 0)
        size = min(2 * self.config.train.batch_size, len(train))
        order = self.shuffled(np.arange(len(train)), 0)
        batches = torch.split(order, size)[: len(train) // size]
        labeled = self.labeled_batches(selected, size)
        sums = torch.zeros(2, device=train.device)
        for every, index in train.ahead(zip(batches, labeled, strict=False)):
            # One call for all strong views: it groups images with the same operations.
            strong = train.strong_views(torch.cat([index, index, every]), 1, draws)[0]
            images, strong_of_all = strong[: 2 * size], strong[2 * size :]
            weak_of_all = train.views(every, 1, draws)[0]
            labels = selected.labels[index].repeat(2)
            weight, partner = mixing(mixup, self.method.alpha, len(images), images.device)
            classification = self.mixup_loss(images, labels, max(weight, 1 - weight), partner)
            consistency = self.consistency_loss(weak_of_all, strong_of_all)
            self.step(classification + self.method.lambda_fc * consistency)
            sums += torch.stack([classification.detach(), consistency.detach()])
        means = (sums / len(batches)).tolist()
        return {
            "loss/labeled": self.finite(means[0], 0),
            "loss/consistency": self.finite(means[1], 0),
        }

    def labeled_batches(self, selected: Selection, size: int) -> Iterator[torch.Tensor]:
        """Yield indices (size,) of labeled samples without end, equally many of each class.

        A class has as many as the largest one: each of its samples equally often, or once more.
        """
        rng = self.streams.numpy("balanced", self.epoch)
        rows = np.flatnonzero(selected.labeled.cpu().numpy())
        labels = selected.labels.cpu().numpy()[rows]
        device = selected.labels.device
        largest = np.bincount(labels).max()
        drawn = []
        for label in np.unique(labels):
            of_class = rng.permutation(rows[labels == label])
            drawn.append(np.resize(of_class, largest))
        balanced = np.concatenate(drawn)
        if len(balanced) < size:  # at least one batch in a pass
            balanced = np.resize(balanced, size)
        while True:
            shuffled = torch.from_numpy(rng.permutation(balanced)).to(device)
            yield from torch.split(shuffled, size)[: len(balanced) // size]

    def mixup_loss(
        self, images: torch.Tensor, labels: torch.Tensor, weight: float, partner: torch.Tensor
    ) -> torch.Tensor:
        """Return the cross-entropy of mixed images (batch, channels, h, w) and labels (batch,).

        `partner` (batch,) is a permutation; a row has that weight, its partner the rest.
        """
        targets = F.one_hot(labels, self.data.classes).float()
        logits = self.learners[0](mix(images, weight, partner))
        return labeled_loss(logits, mix(targets, weight, partner))

    def consistency_loss(self, weak: torch.Tensor, strong: torch.Tensor) -> torch.Tensor:
        """Return the negative cosine of projected weak views and what strong views predict of them.

        Both are (batch, channels, h, w). The gradient flows through the strong views only.
        """
        projection, prediction = self.consistency
        with torch.no_grad():
            target = projection(self.learners[0].features(weak))
        predicted = prediction(projection(self.learners[0].features(strong)))
        return -F.cosine_similarity(predicted, target, dim=1).mean()

    def step(self, loss: torch.Tensor) -> None:
        """Take one step of the network and of the heads."""
        self.optimizer.zero_grad()
        self.learners[0].step(loss)
        self.optimizer.step()

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the base class, and that of the heads and their optimiser."""
        heads = {
            "consistency": self.consistency.state_dict(),
            "consistency_optimizer": self.optimizer.state_dict(),
        }
        return {**super().state_dict(), **heads}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from the result of `state_dict`."""
        super().load_state_dict(state)
        self.consistency.load_state_dict(state["consistency"])
        self.optimizer.load_state_dict(state["consistency_optimizer"])


def consistency_heads(width: int) -> nn.ModuleList:
    """Build the projection of features (batch, width), and the prediction of projections."""

    def layers(inputs: int) -> nn.Sequential:
        return nn.Sequential(
            nn.Linear(inputs, HIDDEN),
            nn.BatchNorm1d(HIDDEN),
            nn.ReLU(),
            nn.Linear(HIDDEN, PROJECTED),
        )

    return nn.ModuleList([layers(width), layers(PROJECTED)])


def select(
    features: torch.Tensor, probabilities: torch.Tensor, given: torch.Tensor, m: SsrPlusConfig
) -> Selection:
    """Relabel the samples of which the network is sure, then select those whose label leads.

    Args:
        features: (n, width).
        probabilities: (n, classes).
        given: (n,) given labels.
        m: thresholds and number of neighbors.
    """
    confidence, predicted = probabilities.max(1)
    labels = torch.where(confidence > m.theta_r, predicted, given)
    support = label_support(features, labels, probabilities.shape[1], m.neighbors)
    labeled = support >= m.theta_s
    if not labeled.any():
        labeled = torch.ones_like(labeled)
    return Selection(labels, labeled)


def described(selected: Selection, train: Samples) -> Row:
    """Return the sizes of the labeled and the relabelled set, and how many labels are right."""
    changed = selected.labels != train.given
    row: Row = {
        "division/labeled_fraction_net0": float(selected.labeled.float().mean()),
        "relabel/fraction": float(changed.float().mean()),
    }
    if train.true_known:
        right = (selected.labels == train.true).float()
        row["relabel/labeled_accuracy"] = 100 * float(right[selected.labeled].mean())
        if changed.any():
            row["relabel/accuracy"] = 100 * float(right[changed].mean())
    return row
