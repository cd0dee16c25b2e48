"""What every method shares: two networks, the epoch counter, testing, cross-entropy epochs, state.

A method is an iterator: `next` trains one epoch and returns its row of metrics. It knows no logger
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
from trainable.engine import metrics
from trainable.engine.learner import Learner
from trainable.errors import NonFiniteLoss
from trainable.noisy_labels.losses import negative_entropy
from trainable.random_streams import Streams

Row = dict[str, Any]
Losses = tuple[torch.Tensor, dict[str, torch.Tensor]]
"""A scalar to descend on, and scalars for the row by their names."""


class Method:
    """Base of the methods; a subclass trains one epoch in `train_epoch`.

    Attributes:
        epoch: finished epochs.
        records: per-sample arrays at a few epochs, {epoch: {name: (networks, n) or (n,)}}.
        division: the same of the newest division, {epoch: …}; {} if there was none, or after a
            restart.
        kept: indices (m,) of the training samples that a plain epoch learns from; None: all.
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
        with self.timed("eval"):
            row.update(self.evaluate())
        self.epoch += 1
        whole = {"epoch": self.epoch, **row, "schedule/lr": lr}
        whole["work/forwards"] = self.forwards - forwards_before
        for part, spent in self._seconds.items():
            whole[f"time/{part}_s"] = spent
        whole["time/epoch_s"] = time.perf_counter() - start
        return whole

    def train_epoch(self) -> Row:
        """Train every network for one epoch; `self.epoch` epochs are finished before it."""
        raise NotImplementedError

    @property
    def forwards(self) -> int:
        """Image-forward equivalents so far, of all networks."""
        return sum(learner.forwards for learner in self.learners)

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the block's seconds to `time/<part>_s` of this epoch's row."""
        start = time.perf_counter()
        with record_function(part):  # a name in a profiler's trace
            yield
        self._seconds[part] = self._seconds.get(part, 0.0) + time.perf_counter() - start

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """Leave the block's forwards out of `work/forwards`.

        They fill records and are no part of the method.
        """
        before = [learner.forwards for learner in self.learners]
        yield
        for learner, forwards in zip(self.learners, before, strict=True):
            learner.forwards = forwards

    def evaluate(self) -> Row:
        """Accuracy of the ensemble and of each network on the clean test set.

        Also the ensemble's on further test sets, and on the noisy validation set.
        """
        row: Row = {}
        per_network = self._test_logits(self.data.test)
        total = self.combined(per_network)
        true = self.data.test.true
        for k, logits in enumerate(per_network):
            # The last step may have broken the weights.
            self.finite(logits.sum(), k, "the sum of test logits")
        row["test/accuracy"] = metrics.accuracy(total, true)
        for k, logits in enumerate(per_network):
            row[f"test/accuracy_net{k}"] = metrics.accuracy(logits, true)
        with_top5 = self.data.classes >= 20
        if with_top5:
            row["test/top5"] = metrics.accuracy(total, true, top=5)
        for name, samples in self.data.more_tests.items():
            total = self.combined(self._test_logits(samples))
            row[f"{name}/accuracy"] = metrics.accuracy(total, samples.true)
            if with_top5:
                row[f"{name}/top5"] = metrics.accuracy(total, samples.true, top=5)
        validation = self.data.validation
        if validation is not None:
            total = self.combined(self._test_logits(validation))
            row["val/accuracy"] = metrics.accuracy(total, validation.given)
        return row

    def _test_logits(self, samples: Samples) -> list[torch.Tensor]:
        """Each network's test logits (n, classes)."""
        return [learner.test_logits(samples) for learner in self.learners]

    def cross_entropy_epoch(self, conf_penalty: bool = False) -> Row:
        """One epoch of plain cross-entropy for each network in turn."""

        def loss(k: int, images: torch.Tensor, given: torch.Tensor, index: torch.Tensor) -> Losses:
            logits = self.learners[k](images)
            labeled = F.cross_entropy(logits, given)
            terms = {"loss/labeled": labeled}
            if conf_penalty:
                return labeled + negative_entropy(logits), terms
            return labeled, terms

        return self.each_in_turn(loss)

    def each_in_turn(
        self, loss: Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], Losses]
    ) -> Row:
        """Train network k on `loss(k, images, given, index)` for one epoch, for every k.

        Returns the mean of each of the loss's terms over the networks.
        """
        found: dict[str, list[float]] = {}
        with self.timed("train"):
            for k in range(len(self.learners)):
                means = self.one_pass(k, partial(loss, k), partial(self.descend, k))
                for name, mean in means.items():
                    found.setdefault(name, []).append(self.finite(mean, k))
        return {name: float(np.mean(values)) for name, values in found.items()}

    def one_pass(
        self,
        k: int,
        loss: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], Losses],
        descend: Callable[[torch.Tensor], None],
    ) -> dict[str, torch.Tensor]:
        """Descend on `loss(images, given, index)` once for every training sample.

        Batches are of twice `batch_size`. Images are one view each, (batch, channels, h, w);
        `index` (batch,) is their place among the training samples. Order and augmentation are
        those of network k. Returns the mean over samples of the loss's terms.
        """
        rows = self.rows_of_pass(k)
        train = self.data.chosen(rows)
        views = self.streams.torch("augment", self.epoch, k, device=train.device)
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
        """Which training samples network k sees in one pass of this epoch; None: all."""
        subset = self.streams.numpy("subset", self.epoch, k)
        return self.data.epoch_rows(subset, 2 * self.config.train.batch_size)

    def descend(self, k: int, loss: torch.Tensor) -> None:
        """One step of network k."""
        self.learners[k].step(loss)

    def shuffled(self, index: np.ndarray, *counters: int) -> torch.Tensor:
        """`index` in this epoch's order, on the device.

        The order is a ranking of *all* training samples, so a sample that leaves the set does not
        reorder the others.
        """
        train = self.data.train
        rank = self.streams.numpy("order", self.epoch, *counters).permutation(len(train))
        ordered = index[np.argsort(rank[index])]
        return torch.from_numpy(ordered).to(train.device, non_blocking=True)

    def finite(self, sum_: torch.Tensor, network: int | None, what: str = "the loss") -> float:
        """A sum as a number; `network` is None for what the networks share.

        Raises:
            NonFiniteLoss: the sum is NaN or infinite.
        """
        value = float(sum_)
        if not math.isfinite(value):
            whose = "all networks" if network is None else f"network {network}"
            raise NonFiniteLoss(
                f"{what} of {whose} is {value} in epoch {self.epoch + 1}; "
                f"a smaller train.lr than {self.config.train.lr} usually helps"
            )
        return value

    def judge_logits(self, learner: Learner, samples: Samples) -> tuple[torch.Tensor, torch.Tensor]:
        """(logits (n, classes), cross-entropy with the given labels (n,)).

        The network is in eval mode, and images are not augmented.
        """
        logits = learner.logits(samples)
        return logits, F.cross_entropy(logits, samples.given, reduction="none")

    def combined(self, logits: Sequence[torch.Tensor]) -> torch.Tensor:
        """The ensemble's scores (n, classes): the sum of the networks' logits (authors' code)."""
        return torch.stack(tuple(logits)).sum(0)

    def ensemble(self, logits: Sequence[torch.Tensor]) -> dict[str, np.ndarray]:
        """The ensemble's class and its mean probability over the networks, (n,) each.

        `logits` are one (n, classes) a network.
        """
        chosen = self.combined(logits).argmax(1)
        mean = torch.stack([each.softmax(1) for each in logits]).mean(0)
        probability = mean.gather(1, chosen[:, None])[:, 0]
        return {
            "ensemble_class": chosen.cpu().numpy(),
            "ensemble_probability": probability.cpu().numpy(),
        }

    def record_losses(self) -> None:
        """After the middle and the last epoch, keep the losses and the ensemble's predictions."""
        finished = self.epoch + 1
        epochs = self.config.train.epochs
        if finished not in {(epochs + 1) // 2, epochs}:
            return
        all_logits: list[torch.Tensor] = []
        all_losses: list[torch.Tensor] = []
        with self.uncounted():
            for learner in self.learners:
                logits, loss = self.judge_logits(learner, self.data.train)
                all_logits.append(logits)
                all_losses.append(loss)
        record = {"loss": np.stack([loss.cpu().numpy() for loss in all_losses])}
        record.update(self.ensemble(all_logits))
        self.records[finished] = record

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next epoch depends on.

        Generators restart from their names, so they are no part of it.
        """
        records = {}
        for epoch, record in self.records.items():
            records[epoch] = {name: torch.from_numpy(array) for name, array in record.items()}
        return {
            "epoch": self.epoch,
            "learners": [learner.state_dict() for learner in self.learners],
            "records": records,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from `state_dict`'s result."""
        self.epoch = state["epoch"]
        for learner, saved in zip(self.learners, state["learners"], strict=True):
            learner.load_state_dict(saved)
        self.records = {}
        for epoch, record in state["records"].items():
            self.records[epoch] = {name: tensor.numpy() for name, tensor in record.items()}
