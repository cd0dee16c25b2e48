"""Base class of Co-teaching, Co-teaching+ and JoCoR.

The networks see the same batches and drop the samples with large losses. The dropped share follows
`trainable/noisy_labels/forget_rate.py`. The differences from the authors' codes are:

- They use Adam (`train.optimizer: adam`) with a linear decay of `lr` to 0 in the later epochs,
  while Adam's first beta falls to 0.1. Here only `train.lr_schedule` changes `lr`.
- A short last batch of an epoch is used, and at least one sample of a batch is kept.
- The ensemble is tested, as for every method. The papers report the accuracies of single networks,
  which are separate metrics.
"""

from abc import abstractmethod
from functools import partial
from typing import Any

import torch

from trainable.config.methods import Forgetting
from trainable.config.trial import TrialConfig
from trainable.data.dataset import Dataset
from trainable.engine.learner import Learner, step_together
from trainable.errors import DataError
from trainable.methods.base import Losses, Method, Row
from trainable.noisy_labels.forget_rate import estimated_rate, forget_rate
from trainable.random_streams import Streams

Kept = list[torch.Tensor]
"""Positions in the batch of the samples that each network keeps, one tensor per network."""


class SmallLoss(Method):
    """Trains all networks together on one loss over the kept samples.

    `select` of a subclass determines which samples are kept.
    """

    def __init__(
        self, config: TrialConfig, data: Dataset, learners: list[Learner], streams: Streams
    ):
        super().__init__(config, data, learners, streams)
        assert isinstance(config.method, Forgetting)
        self.forgetting = config.method
        self.final_rate = first_rate(config.method, data)

    @abstractmethod
    def select(
        self, logits: list[torch.Tensor], given: torch.Tensor, rate: float
    ) -> tuple[Losses, Kept]:
        """Return the loss of a batch with its terms, and the samples that each network keeps.

        Args:
            logits: one (batch, classes) per network.
            given: labels (batch,).
            rate: share of the batch that is dropped.
        """

    def train_epoch(self) -> Row:
        """Train all networks for one epoch on the same batches."""
        self.estimate()
        rate = forget_rate(self.final_rate, self.epoch, self.forgetting.gradual_epochs)
        with self.timed("train"):
            descend = partial(step_together, self.learners)
            terms = self.one_pass(0, partial(self.loss, rate), descend)
            means = {name: self.finite(mean, None) for name, mean in terms.items()}
        self.record_losses()
        row: Row = {"phase": self.config.method.name}
        for name, value in means.items():
            if name.startswith("loss/"):
                row[name] = value
        row["schedule/forget_rate"] = rate
        row.update(self.described(means))
        return row

    def estimate(self) -> None:
        """Estimate the final rate in the gradual epochs, with `forget_rate: estimated`.

        The first estimate is made before the second epoch, because untrained networks cannot tell
        wrong labels from right ones. Losses are averaged over the networks.
        """
        if self.forgetting.forget_rate != "estimated":
            return
        if not 1 <= self.epoch <= self.forgetting.gradual_epochs:
            return
        with self.timed("divide"):
            train = self.data.chosen(self.rows_of_pass(0))
            networks = self.predict_all(train).networks
            losses = torch.stack([each.loss for each in networks]).mean(0)
            self.finite(losses.sum(), None)
            self.final_rate = estimated_rate(losses.cpu().numpy())

    def loss(
        self, rate: float, images: torch.Tensor, given: torch.Tensor, index: torch.Tensor
    ) -> Losses:
        """Return the loss of a batch and its terms.

        Among the terms are shares of the batch: `kept` by each network, of these with `right`
        labels, and `clean`, those with right labels in the whole batch.
        """
        logits = [learner(images) for learner in self.learners]
        for k, each in enumerate(logits):
            self.note_logits(k, index, each, given)
        (value, terms), kept = self.select(logits, given, rate)
        clean = (given == self.data.train.true[index]).float()
        for k, positions in enumerate(kept):
            terms[f"kept{k}"] = torch.full_like(value, len(positions) / len(given))
            terms[f"right{k}"] = clean[positions].sum() / len(given)
        return value, {**terms, "clean": clean.mean()}

    def described(self, means: dict[str, float]) -> Row:
        """Return the share of samples that each network kept in the epoch, and its quality.

        Precision, residual noise and recall need true labels.
        """
        row: Row = {}
        for k in range(len(self.learners)):
            kept = means[f"kept{k}"]
            right = means[f"right{k}"]
            row[f"division/labeled_fraction_net{k}"] = kept
            if self.data.train.true_known and kept:
                row[f"division/precision_net{k}"] = right / kept
                row[f"division/residual_noise_net{k}"] = 1 - right / kept
            if self.data.train.true_known and means["clean"]:
                row[f"division/recall_net{k}"] = right / means["clean"]
        return row

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the base class and the final rate."""
        return {**super().state_dict(), "final_rate": self.final_rate}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from the result of `state_dict`."""
        super().load_state_dict(state)
        self.final_rate = state["final_rate"]


def first_rate(m: Forgetting, data: Dataset) -> float:
    """Return the final forget rate as far as it is known before training.

    Raises:
        DataError: `forget_rate: known` is set, and the true labels are unknown.
    """
    if m.forget_rate == "known":
        if data.noise_rate is None:
            raise DataError(
                "method.forget_rate: known needs true labels. Use a number or `estimated`"
            )
        return data.noise_rate
    if m.forget_rate == "estimated":
        return 0.0  # the first estimate is made before the second epoch
    return m.forget_rate
