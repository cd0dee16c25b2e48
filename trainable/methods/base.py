"""Base class of methods: networks, epoch counter, testing, cross-entropy epochs, state.

A method is an iterator: `next` trains one epoch and returns its row of metrics. It uses no logger
and no files.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch.profiler import record_function

from trainable.config.trial import TrialConfig
from trainable.data.dataset import Dataset
from trainable.data.samples import Samples
from trainable.engine.learner import Learner
from trainable.engine.predictions import EnsemblePredictions, Score, predict_all, score
from trainable.errors import NonFiniteLoss
from trainable.noisy_labels.label_margins import LabelMargins
from trainable.noisy_labels.losses import negative_entropy
from trainable.noisy_labels.prediction_changes import PredictionChanges
from trainable.random_streams import Streams
from trainable.storage.last_epochs import MOST
from trainable.storage.names import DIVISION_CHANGED, TRAINING_CHANGED

Row = dict[str, Any]
Losses = tuple[torch.Tensor, dict[str, torch.Tensor]]
"""A scalar loss, and scalar terms for the row by metric name."""


class Method:
    """Base class of methods; a subclass trains one epoch in `train_epoch`.

    Attributes:
        epoch: number of completed epochs.
        records: per-sample arrays at a few epochs, {epoch: {name: (networks, n) or (n,)}}.
        division: the same arrays of the newest division; {} if there is none, or after a resume.
        margins: what the networks said of the given labels, over all epochs.
        predicted: the classes that the networks last predicted for the training samples, by the
            column of their changes: in training, and before an epoch.
        test_classes: the ensemble's predictions (m,) of the test set after each of the last
            epochs, the newest last.
        validation_classes: its predictions (m,) of the validation set after the newest epoch of
            this process; None: there is no validation set, or no epoch yet.
        kept: indices (m,) of the training samples that a cross-entropy epoch uses; None: all.
    """

    kept: np.ndarray | None = None

    def __init__(
        self, config: TrialConfig, data: Dataset, learners: list[Learner], streams: Streams
    ):
        self.config = config
        self.data = data
        self.learners = learners
        self.streams = streams
        self.epoch = 0
        self.records: dict[int, dict[str, np.ndarray]] = {}
        self.division: dict[int, dict[str, np.ndarray]] = {}
        self.margins = LabelMargins(len(learners), len(data.train), data.train.device)
        self.predicted = {
            column: PredictionChanges(len(learners), len(data.train), data.train.device)
            for column in (TRAINING_CHANGED, DIVISION_CHANGED)
        }
        self.test_classes: list[torch.Tensor] = []
        self.validation_classes: torch.Tensor | None = None
        self._seconds: dict[str, float] = {}

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        if self.epoch == self.config.train.epochs:
            raise StopIteration
        start = time.perf_counter()
        forwards_before = self.forwards
        self._seconds = {}
        head_only = self.config.method.trains_head_only(self.epoch)
        for learner in self.learners:
            lr = learner.start_epoch(self.epoch, head_only)
        with self.streams.of_layers(self.epoch, device=self.data.train.device):
            row = self.train_epoch()
        row.update(self.changes())
        with self.timed("eval"):
            row.update(self.evaluate())
        self.after_evaluation()
        self.epoch += 1
        whole = {"epoch": self.epoch, **row, "schedule/lr": lr}
        whole["work/forwards"] = self.forwards - forwards_before
        for part, spent in self._seconds.items():
            whole[f"time/{part}_s"] = spent
        whole["time/epoch_s"] = time.perf_counter() - start
        return whole

    def train_epoch(self) -> Row:
        """Train every network for one epoch and return its row, without the test metrics.

        `self.epoch` is the number of epochs completed before.
        """
        raise NotImplementedError

    def after_evaluation(self) -> None:
        """Record what the tested networks say of the samples, if the method does so here."""

    def changes(self) -> Row:
        """Return the share of the training samples whose predicted class has changed, percent."""
        row = {column: changes.end_epoch() for column, changes in self.predicted.items()}
        return {column: share for column, share in row.items() if share is not None}

    @property
    def forwards(self) -> int:
        """Image-forward equivalents of all networks so far."""
        return sum(learner.forwards for learner in self.learners)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the block's seconds to `time/<part>_s` of this epoch's row."""
        start = time.perf_counter()
        with record_function(part):  # the name in a profiler's trace
            yield
        self._seconds[part] = self._seconds.get(part, 0.0) + time.perf_counter() - start

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """Exclude the block's forwards from `work/forwards`.

        They are for records and are not part of the method.
        """
        before = [learner.forwards for learner in self.learners]
        yield
        for learner, forwards in zip(self.learners, before, strict=True):
            learner.forwards = forwards

    def evaluate(self) -> Row:
        """Return the accuracy of the ensemble and of each network on the clean test set, percent.

        The ensemble is also tested on further test sets and on the validation set (given labels).

        Raises:
            NonFiniteLoss: a test logit is NaN or infinite.
        """
        row: Row = {}
        tested = self._score(self.data.test, self.data.test.true)
        self.test_classes = [*self.test_classes, tested.classes][-MOST:]
        for k, total in enumerate(tested.sums):
            # The last step of the epoch can make weights non-finite.
            self.finite(total, k, "the sum of test logits")
        row["test/accuracy"] = tested.ensemble
        for k, accuracy in enumerate(tested.networks):
            row[f"test/accuracy_net{k}"] = accuracy
        with_top5 = self.data.classes >= 20
        if with_top5:
            row["test/top5"] = tested.top5
        for name, samples in self.data.more_tests.items():
            tested = self._score(samples, samples.true)
            row[f"{name}/accuracy"] = tested.ensemble
            if with_top5:
                row[f"{name}/top5"] = tested.top5
        validation = self.data.validation
        if validation is not None:
            held_out = self._score(validation, validation.given)
            self.validation_classes = held_out.classes
            row["val/accuracy"] = held_out.ensemble
        return row

    def _score(self, samples: Samples, labels: torch.Tensor) -> Score:
        """Compare the tested networks' predictions with labels (n,)."""
        return score(self.learners, samples, labels, self.combined)

    def cross_entropy_epoch(self, conf_penalty: bool = False) -> Row:
        """Train each network in turn for one epoch with cross-entropy; return the mean losses.

        With `conf_penalty`, the confidence penalty (negative entropy) is added to the loss.
        """

        def loss(k: int, images: torch.Tensor, given: torch.Tensor, index: torch.Tensor) -> Losses:
            logits = self.learners[k](images)
            self.note_logits(k, index, logits, given)
            labeled = F.cross_entropy(logits, given)
            terms = {"loss/labeled": labeled}
            if conf_penalty:
                return labeled + negative_entropy(logits), terms
            return labeled, terms

        return self.each_in_turn(loss)

    def note_logits(
        self, k: int, index: torch.Tensor, logits: torch.Tensor, given: torch.Tensor
    ) -> None:
        """Note what network k says of a batch in training, of images that are not mixed.

        Args:
            k: number of the network.
            index: positions (batch,) in the training set.
            logits: (batch, classes).
            given: labels (batch,).
        """
        self.margins.add_logits(k, index, logits, given)
        self.predicted[TRAINING_CHANGED].add(k, index, logits.detach().argmax(1))

    def each_in_turn(
        self, loss: Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], Losses]
    ) -> Row:
        """Train each network k in turn for one epoch on `loss(k, images, given, index)`.

        Returns:
            The mean of each loss term over the networks.

        Raises:
            NonFiniteLoss: a loss is NaN or infinite.
        """
        terms: dict[str, list[float]] = {}
        with self.timed("train"):
            for k in range(len(self.learners)):
                means = self.one_pass(k, partial(loss, k), partial(self.descend, k))
                for name, mean in means.items():
                    terms.setdefault(name, []).append(self.finite(mean, k))
        return {name: float(np.mean(values)) for name, values in terms.items()}

    def one_pass(
        self,
        k: int,
        loss: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], Losses],
        descend: Callable[[torch.Tensor], None],
    ) -> dict[str, torch.Tensor]:
        """Train on `loss(images, given, index)` for one pass over the training samples.

        Batches have twice `batch_size` images, one view (batch, channels, h, w) each. `index`
        (batch,) are their positions in the training set.

        Args:
            k: network whose order and augmentation are used.
            loss: loss of a batch, and its terms.
            descend: takes an optimiser step on the loss.

        Returns:
            The mean of each loss term over the samples.
        """
        rows = self.rows_of_pass(k)
        train = self.data.chosen(rows)
        views = train.draws(self.streams.torch("augment", self.epoch, k, device=train.device))
        learned = np.arange(len(train)) if self.kept is None else self.kept
        order = self.shuffled(learned, k)
        sums: dict[str, torch.Tensor] = {}
        for batch in train.ahead(torch.split(order, 2 * self.config.train.batch_size)):
            index = batch
            if rows is not None:
                index = torch.from_numpy(rows).to(batch.device)[batch]
            images = train.views(batch, 1, views)[0]
            value, terms = loss(images, train.given[batch], index)
            for name, term in terms.items():
                before = sums.get(name, torch.zeros_like(term))
                sums[name] = before + term.detach() * len(batch)
            descend(value)
        return {name: total / len(order) for name, total in sums.items()}

    def rows_of_pass(self, k: int) -> np.ndarray | None:
        """Return the training samples that network k uses in this epoch; None: all."""
        subset = self.streams.numpy("subset", self.epoch, k)
        return self.data.epoch_rows(subset, 2 * self.config.train.batch_size)

    def descend(self, k: int, loss: torch.Tensor) -> None:
        """Take one optimiser step of network k."""
        self.learners[k].step(loss)

    def shuffled(self, index: np.ndarray, *counters: int) -> torch.Tensor:
        """Return `index` (m,) in the order of this epoch, on the device.

        The order is a ranking of *all* training samples, so it does not depend on which of them are
        in `index`.
        """
        train = self.data.train
        rank = self.streams.numpy("order", self.epoch, *counters).permutation(len(train))
        ordered = index[np.argsort(rank[index])]
        return torch.from_numpy(ordered).to(train.device, non_blocking=True)

    def finite(
        self, sum_: torch.Tensor | float, network: int | None, what: str = "the loss"
    ) -> float:
        """Return a sum as a number.

        Args:
            sum_: scalar.
            network: number of the network; None: the sum is shared by all networks.
            what: name of the sum in the message.

        Raises:
            NonFiniteLoss: the sum is NaN or infinite.
        """
        value = float(sum_)
        if not math.isfinite(value):
            whose = "all networks" if network is None else f"network {network}"
            raise NonFiniteLoss(
                f"{what} of {whose} is {value} in epoch {self.epoch + 1}. "
                f"Reduce train.lr: {self.config.train.lr}"
            )
        return value

    def judge_logits(self, learner: Learner, samples: Samples) -> tuple[torch.Tensor, torch.Tensor]:
        """Return logits (n, classes) and cross-entropy with the given labels, (n,).

        The network is in eval mode, and images are not augmented. The methods of this package use
        `predict_all`, which keeps no logits; own methods may use either.
        """
        logits = learner.logits(samples)
        return logits, F.cross_entropy(logits, samples.given, reduction="none")

    def combined(self, logits: Sequence[torch.Tensor]) -> torch.Tensor:
        """Return the ensemble's scores (n, classes): the sum of the logits (authors' code)."""
        return torch.stack(tuple(logits)).sum(0)

    def predict_all(self, samples: Samples) -> EnsemblePredictions:
        """Return what all networks say of the samples."""
        return predict_all(self.learners, samples, self.combined)

    def record_losses(self) -> None:
        """Record losses and ensemble predictions after the middle and the last epoch."""
        finished = self.epoch + 1
        epochs = self.config.train.epochs
        if finished not in {(epochs + 1) // 2, epochs}:
            return
        with self.uncounted():
            predicted = self.predict_all(self.data.train)
        losses = np.stack([each.loss.cpu().numpy() for each in predicted.networks])
        record = {"loss": losses, **ensemble_record(predicted), **self.margins.means()}
        self.records[finished] = {**record, **self.held_out()}

    def held_out(self) -> dict[str, np.ndarray]:
        """Return what the networks say of the validation and the test set, for the samples table.

        `validation_` and `test_` `loss`, (networks, m), `class` and `probability`, (m,), of the
        ensemble. The loss is that of the given label.
        """
        found = {}
        with self.uncounted():
            sets = {"validation": self.data.validation, "test": self.data.test}
            for name, samples in sets.items():
                if samples is None:
                    continue
                predicted = self.predict_all(samples)
                losses = [each.loss.cpu().numpy() for each in predicted.networks]
                found[f"{name}_loss"] = np.stack(losses)
                found[f"{name}_class"] = predicted.ensemble_class.cpu().numpy()
                found[f"{name}_probability"] = predicted.ensemble_probability.cpu().numpy()
        return found

    def state_dict(self) -> dict[str, Any]:
        """Return the complete state, on which the next epoch depends.

        It has no generators, because random streams are derived from the seed in each epoch.
        """
        records = {}
        for epoch, record in self.records.items():
            records[epoch] = {name: torch.from_numpy(array) for name, array in record.items()}
        return {
            "epoch": self.epoch,
            "learners": [learner.state_dict() for learner in self.learners],
            "records": records,
            "margins": self.margins.state_dict(),
            "predicted": {name: kept.state_dict() for name, kept in self.predicted.items()},
            "test_classes": self.test_classes,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from the result of `state_dict`."""
        self.epoch = state["epoch"]
        for learner, saved in zip(self.learners, state["learners"], strict=True):
            learner.load_state_dict(saved)
        # Older checkpoints have none of these.
        if "margins" in state:
            self.margins.load_state_dict(state["margins"])
        for column, classes in state.get("predicted", {}).items():
            self.predicted[column].load_state_dict(classes)
        self.test_classes = list(state.get("test_classes", []))
        self.records = {}
        for epoch, record in state["records"].items():
            self.records[epoch] = {name: tensor.numpy() for name, tensor in record.items()}


def ensemble_record(predicted: EnsemblePredictions) -> dict[str, np.ndarray]:
    """Return the ensemble's class and its probability, (n,) each, for the samples table."""
    return {
        "ensemble_class": predicted.ensemble_class.cpu().numpy(),
        "ensemble_probability": predicted.ensemble_probability.cpu().numpy(),
    }
