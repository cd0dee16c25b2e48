"""What Co-teaching, Co-teaching+ and JoCoR share.

Their networks see the same batches and leave out large losses. The share that they leave out
follows `trainable/noisy_labels/forget_rate.py`. Their authors' codes use Adam (`train.optimizer:
adam`), whose first beta falls to 0.1 while `lr` falls linearly towards 0 in the later epochs; here
`train.lr_schedule` alone does that. The last batch of an epoch is used although it is short, and at
least one sample of a batch is kept. The ensemble is tested, as for every method; the single
networks, whose accuracies the papers report, are in rows of their own.
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
"""For each network the places in the batch of the samples that it finds easiest."""


class SmallLoss(Method):
    """Trains all networks at once on one loss over the samples that are kept.

    `select` of a subclass says which samples are kept.
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
        """The loss of a batch and what is kept of it.

        `logits` are one (batch, classes) a network, `given` its labels (batch,).
        """

    def train_epoch(self) -> Row:
        """One epoch of all networks on the same batches."""
        self.estimate()
        rate = forget_rate(self.final_rate, self.epoch, self.forgetting.gradual_epochs)
        with self.timed("train"):
            descend = partial(step_together, self.learners)
            found = self.one_pass(0, partial(self.loss, rate), descend)
            means = {name: self.finite(mean, None) for name, mean in found.items()}
        self.record_losses()
        row: Row = {"phase": self.config.method.name}
        for name, value in means.items():
            if name.startswith("loss/"):
                row[name] = value
        row["schedule/forget_rate"] = rate
        row.update(self.described(means))
        return row

    def estimate(self) -> None:
        """With `forget_rate: estimated`, estimate the final rate until the gradual epochs are over.

        It begins with the second epoch: networks that have learned nothing yet cannot tell. The
        losses are the mean over the networks.
        """
        if self.forgetting.forget_rate != "estimated":
            return
        if not 1 <= self.epoch <= self.forgetting.gradual_epochs:
            return
        with self.timed("divide"):
            train = self.data.chosen(self.rows_of_pass(0))
            per_network = [self.judge_logits(learner, train)[1] for learner in self.learners]
            losses = torch.stack(per_network).mean(0)
            self.finite(losses.sum(), None)
            seed = self.streams.number("mixture", self.epoch, 0)
            self.final_rate = estimated_rate(losses.cpu().numpy(), seed)

    def loss(
        self, rate: float, images: torch.Tensor, given: torch.Tensor, index: torch.Tensor
    ) -> Losses:
        """The loss of a batch and its terms.

        Among them is the share of the batch that each network keeps, in all and of right labels.
        """
        logits = [learner(images) for learner in self.learners]
        (value, terms), kept = self.select(logits, given, rate)
        clean = (given == self.data.train.true[index]).float()
        for k, places in enumerate(kept):
            terms[f"kept{k}"] = torch.full_like(value, len(places) / len(given))
            terms[f"right{k}"] = clean[places].sum() / len(given)
        return value, {**terms, "clean": clean.mean()}

    def described(self, means: dict[str, float]) -> Row:
        """How good each network's choice was over the epoch, as far as true labels are known."""
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
        """The shared state and the rate as estimated."""
        return {**super().state_dict(), "final_rate": self.final_rate}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from `state_dict`'s result."""
        super().load_state_dict(state)
        self.final_rate = state["final_rate"]


def first_rate(m: Forgetting, data: Dataset) -> float:
    """The final forget rate as far as it is known before training. Raises DataError."""
    if m.forget_rate == "known":
        if data.noise_rate is None:
            raise DataError(
                "method.forget_rate: known needs true labels; give a number, or `estimated`"
            )
        return data.noise_rate
    if m.forget_rate == "estimated":
        return 0.0  # an estimate begins with the second epoch
    return m.forget_rate
