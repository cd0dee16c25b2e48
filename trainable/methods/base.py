"""What every method shares: two networks, the epoch counter, testing, cross-entropy epochs, state.

A method is an iterator: `next` trains one epoch and returns its row of metrics. It knows no logger and no files.
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
from trainable.data.dataset import Dataset, Samples
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
        division: the same of the newest division, {epoch: …}; {} if there was none, or after a restart.
        kept: places (m,) of the training samples that a plain epoch learns from; None: all of them.
    """

    kept: np.ndarray | None = None

    def __init__(
        self, config: TrialConfig, data: Dataset, learners: list[Learner], streams: Streams
    ):
        self.config, self.data, self.learners, self.streams = config, data, learners, streams
        self.epoch = 0
        self.records: dict[int, dict[str, np.ndarray]] = {}
        self.division: dict[int, dict[str, np.ndarray]] = {}
        self._seconds: dict[str, float] = {}

    def __iter__(self) -> Iterator[Row]:
        return self

    def __next__(self) -> Row:
        if self.epoch == self.config.train.epochs:
            raise StopIteration
        start, before = time.perf_counter(), self.forwards
        self._seconds = {}
        head_only = self.config.method.trains_head_only(self.epoch)
        for learner in self.learners:
            lr = learner.start_epoch(self.epoch, head_only)
        with self.streams.of_layers(self.epoch, device=self.data.train.device):
            row = self.train_epoch()
        with self.timed("eval"):
            row |= self.evaluate()
        self.epoch += 1
        seconds = {f"time/{part}_s": spent for part, spent in self._seconds.items()}
        seconds["time/epoch_s"] = time.perf_counter() - start
        return {
            "epoch": self.epoch,
            **row,
            "schedule/lr": lr,
            "work/forwards": self.forwards - before,
            **seconds,
        }

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
        """Leave the block's forwards out of `work/forwards`: they fill records and are no part of the method."""
        before = [learner.forwards for learner in self.learners]
        yield
        for learner, forwards in zip(self.learners, before, strict=True):
            learner.forwards = forwards

    def evaluate(self) -> Row:
        """Accuracy of the ensemble and of each network on the clean test set, and on the noisy validation set."""
        row: Row = {}
        per_network = [learner.test_logits(self.data.test) for learner in self.learners]
        total, true = self.combined(per_network), self.data.test.true
        for k, logits in enumerate(per_network):
            self.finite(
                logits.sum(), k, "the sum of test logits"
            )  # the last step may have broken the weights
        row["test/accuracy"] = metrics.accuracy(total, true)
        row |= {
            f"test/accuracy_net{k}": metrics.accuracy(logits, true)
            for k, logits in enumerate(per_network)
        }
        if self.data.classes >= 20:
            row["test/top5"] = metrics.accuracy(total, true, top=5)
        for name, samples in self.data.more_tests.items():
            total = self.combined([learner.test_logits(samples) for learner in self.learners])
            row |= {f"{name}/accuracy": metrics.accuracy(total, samples.true)}
            row |= (
                {f"{name}/top5": metrics.accuracy(total, samples.true, top=5)}
                if self.data.classes >= 20
                else {}
            )
        if (validation := self.data.validation) is not None:
            total = self.combined([learner.test_logits(validation) for learner in self.learners])
            row["val/accuracy"] = metrics.accuracy(total, validation.given)
        return row

    def cross_entropy_epoch(self, conf_penalty: bool = False) -> Row:
        """One epoch of plain cross-entropy for each network in turn."""

        def loss(k: int, images: torch.Tensor, given: torch.Tensor, index: torch.Tensor) -> Losses:
            logits = self.learners[k](images)
            loss = F.cross_entropy(logits, given)
            return loss + negative_entropy(logits) if conf_penalty else loss, {"loss/labeled": loss}

        return self.each_in_turn(loss)

    def each_in_turn(
        self, loss: Callable[[int, torch.Tensor, torch.Tensor, torch.Tensor], Losses]
    ) -> Row:
        """Train network k on `loss(k, images, given, index)` for one epoch, for every k; the mean of its terms."""
        with self.timed("train"):
            found = []
            for k in range(len(self.learners)):
                means = self.one_pass(k, partial(loss, k), partial(self.descend, k))
                found.append({name: self.finite(mean, k) for name, mean in means.items()})
        return {name: float(np.mean([means[name] for means in found])) for name in found[0]}

    def one_pass(
        self,
        k: int,
        loss: Callable[[torch.Tensor, torch.Tensor, torch.Tensor], Losses],
        descend: Callable[[torch.Tensor], None],
    ) -> dict[str, torch.Tensor]:
        """Descend on `loss(images, given, index)` once for every training sample, in batches of twice `batch_size`.

        Images are one view each, (batch, channels, h, w); `index` is their place among the training samples. Order and
        augmentation are those of network k. Returns the mean over samples of the loss's terms.
        """
        rows, size = self.rows_of_pass(k), 2 * self.config.train.batch_size
        train, place = self.data.chosen(rows), None if rows is None else torch.from_numpy(rows)
        views = self.streams.torch("augment", self.epoch, k, device=train.device)
        sums: dict[str, torch.Tensor] = {}
        order = self.shuffled(np.arange(len(train)) if self.kept is None else self.kept, k)
        for batch in train.ahead(order.split(size)):
            index = batch if place is None else place.to(batch.device)[batch]
            value, terms = loss(train.views(batch, 1, views)[0], train.given[batch], index)
            for name, term in terms.items():
                sums[name] = sums.get(name, torch.zeros_like(term)) + term.detach() * len(batch)
            descend(value)
        return {name: total / len(order) for name, total in sums.items()}

    def rows_of_pass(self, k: int) -> np.ndarray | None:
        """Which training samples network k sees in one pass of this epoch; None: all."""
        return self.data.epoch_rows(
            self.streams.numpy("subset", self.epoch, k), 2 * self.config.train.batch_size
        )

    def descend(self, k: int, loss: torch.Tensor) -> None:
        """One step of network k."""
        self.learners[k].step(loss)

    def shuffled(self, index: np.ndarray, *counters: int) -> torch.Tensor:
        """`index` in this epoch's order, on the device.

        The order is a ranking of *all* training samples, so a sample that leaves the set does not reorder the others.
        """
        rank = self.streams.numpy("order", self.epoch, *counters).permutation(len(self.data.train))
        return torch.from_numpy(index[np.argsort(rank[index])]).to(
            self.data.train.device, non_blocking=True
        )

    def finite(self, sum_: torch.Tensor, network: int | None, what: str = "the loss") -> float:
        """A sum as a number; `network` is None for what the networks share. Raises NonFiniteLoss."""
        value = float(sum_)
        if not math.isfinite(value):
            raise NonFiniteLoss(
                f"{what} of {'all networks' if network is None else f'network {network}'} is {value} "
                f"in epoch {self.epoch + 1}; "
                f"a smaller train.lr than {self.config.train.lr} usually helps"
            )
        return value

    def judge_logits(self, learner: Learner, samples: Samples) -> tuple[torch.Tensor, torch.Tensor]:
        """(logits (n, classes), cross-entropy with the given labels (n,)) in eval mode, without augmentation."""
        logits = learner.logits(samples)
        return logits, F.cross_entropy(logits, samples.given, reduction="none")

    def combined(self, logits: Sequence[torch.Tensor]) -> torch.Tensor:
        """The ensemble's scores (n, classes) from each network's logits of that shape: their sum (authors' code)."""
        return torch.stack(tuple(logits)).sum(0)

    def ensemble(self, logits: Sequence[torch.Tensor]) -> dict[str, np.ndarray]:
        """The ensemble's class, from logits (n, classes), and its mean probability over the networks, (n,) each."""
        chosen = self.combined(logits).argmax(1)
        probability = (
            torch.stack([each.softmax(1) for each in logits])
            .mean(0)
            .gather(1, chosen[:, None])[:, 0]
        )
        return {
            "ensemble_class": chosen.cpu().numpy(),
            "ensemble_probability": probability.cpu().numpy(),
        }

    def record_losses(self) -> None:
        """After the middle and the last epoch, keep each sample's loss and the ensemble's opinion."""
        finished, epochs = self.epoch + 1, self.config.train.epochs
        if finished in {(epochs + 1) // 2, epochs}:
            with self.uncounted():
                judged = [self.judge_logits(learner, self.data.train) for learner in self.learners]
            losses = np.stack([loss.cpu().numpy() for _, loss in judged])
            self.records[finished] = {
                "loss": losses,
                **self.ensemble([logits for logits, _ in judged]),
            }

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next epoch depends on; generators restart from their names and need no place here."""
        return {
            "epoch": self.epoch,
            "learners": [learner.state_dict() for learner in self.learners],
            "records": {
                epoch: {name: torch.from_numpy(array) for name, array in record.items()}
                for epoch, record in self.records.items()
            },
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`'s result."""
        self.epoch = state["epoch"]
        for learner, saved in zip(self.learners, state["learners"], strict=True):
            learner.load_state_dict(saved)
        self.records = {
            epoch: {name: tensor.numpy() for name, tensor in record.items()}
            for epoch, record in state["records"].items()
        }
