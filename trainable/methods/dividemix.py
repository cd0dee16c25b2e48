"""DivideMix (Li, Socher, Hoi, ICLR 2020, arXiv 2002.07394) with a switch for every component.

It follows `train` and `warmup` of the authors' `Train_cifar.py`
(github.com/LiJunnan1992/DivideMix), also where the paper differs. `co_divide.py` has the division.
"""

import itertools
import math
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from trainable.config.trial import TrialConfig
from trainable.data.dataset import Dataset
from trainable.data.noise import class_dependent
from trainable.data.samples import Samples
from trainable.engine.learner import Learner
from trainable.errors import DataError
from trainable.methods.base import Row
from trainable.methods.co_divide import CoDivide
from trainable.methods.dividemix_division import Division
from trainable.methods.dividemix_step import (
    Batch,
    Draws,
    Tally,
    drawn_views,
    guessed_targets,
    losses,
    means_of,
    mixed,
    own_predictions,
    refined_targets,
)
from trainable.methods.division_guard import DivisionGuard
from trainable.noisy_labels.auto_warmup import ended, separation
from trainable.noisy_labels.label_kappa import hard_to_predict, kappa
from trainable.noisy_labels.ramp_up import ramp_up
from trainable.noisy_labels.unlabeled_weight import automatic_lambda_u
from trainable.random_streams import Streams


class DivideMix(CoDivide):
    """Warm-up, then co-divide and two-network MixMatch."""

    def __init__(
        self, config: TrialConfig, data: Dataset, learners: list[Learner], streams: Streams
    ):
        super().__init__(config, data, learners, streams)
        self.separations: list[float] = []
        self.conf_penalty = self.method.conf_penalty == "on"
        if self.method.conf_penalty == "auto":
            self.conf_penalty = class_dependent(config.noise)
        self.prior = class_prior(self.method.prior, data)
        self.mixes = self.method.mixup is not False
        self.guard = DivisionGuard() if self.method.guard else None
        asks_validation = {"guard": self.method.guard, "mixup: auto": self.method.mixup == "auto"}
        for field, asks in asks_validation.items():
            if asks and data.validation is None:
                raise DataError(
                    f"method.{field} compares predictions with validation labels, and there is no "
                    "validation set. Set data.validation_fraction: 0.1"
                )

    @property
    def warmup(self) -> float:
        """Number of warm-up epochs; infinite while `auto` has not ended warm-up."""
        m = self.method
        if m.warmup_epochs != "auto":
            if not m.warmup_steps:
                return m.warmup_epochs
            batch = 2 * self.config.train.batch_size
            steps = self.data.epoch_batches or math.ceil(len(self.data.train) / batch)
            return m.warmup_length(self.config.train.epochs, steps)
        if ended(self.separations, self.config.train.epochs):
            return len(self.separations)
        return math.inf

    def train_epoch(self) -> Row:
        """Train one warm-up epoch, or one epoch of co-divide and two-network MixMatch."""
        row: Row
        if self.epoch < self.warmup:
            row = {"phase": "warmup"}
            row.update(self.cross_entropy_epoch(self.conf_penalty))
            row.update(self.separate())
        elif self.guard and self.guard.failed:
            row = {"phase": "fallback"}
            row.update(self.cross_entropy_epoch(self.conf_penalty))
        else:
            row = {"phase": "dividemix"}
            row.update(self.divide_and_mix())
        return row

    def evaluate(self) -> Row:
        """Return the accuracies of the epoch, after a failed division has been undone (`guard`)."""
        earlier = self.test_classes
        row = super().evaluate()
        if self.epoch + 1 == self.warmup:
            row.update(self.end_warmup())
        if self.guard and self.guard.restore_if_failed(self.learners, self.agrees()):
            self.test_classes = earlier  # without those of the networks that were thrown away
            row = super().evaluate()
        if self.guard:
            row["division/failed"] = float(self.guard.failed)
        return row

    def after_evaluation(self) -> None:
        """Divide the samples once more after the last epoch, for the record."""
        if self.epoch + 1 < self.config.train.epochs:
            return
        with self.uncounted():
            record = self.division_record(self.divide_samples(finished=1))
        self.records[self.epoch + 1] = {**record, **self.held_out()}

    def end_warmup(self) -> Row:
        """Decide on MixUp (`mixup: auto`), and keep the networks for `guard`."""
        row: Row = {}
        if self.method.mixup == "auto":
            predicted, given = self.validation()
            row["warmup/kappa"] = kappa(predicted, given, self.data.classes)
            self.mixes = hard_to_predict(row["warmup/kappa"])
        if self.guard:
            self.guard.keep(self.learners, self.agrees())
        return row

    def validation(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the newest predictions of the validation samples and their labels, (m,)."""
        assert self.validation_classes is not None
        assert self.data.validation is not None
        return self.validation_classes, self.data.validation.given

    def agrees(self) -> torch.Tensor:
        """Return whether the ensemble predicts the label of each validation sample, (m,) bool."""
        predicted, given = self.validation()
        return predicted == given

    def separate(self) -> Row:
        """Measure the distance of the two loss components, for `warmup_epochs: auto`."""
        if self.method.warmup_epochs != "auto":
            return {}
        finished = self.epoch + 1
        per_network = []
        with self.timed("divide"):
            for k, (_, prediction, _) in enumerate(self.predictions(finished)):
                self.finite(prediction.loss.sum(), k)
                per_network.append(separation(prediction.loss.cpu().numpy()))
        self.separations.append(float(np.mean(per_network)))
        return {"warmup/separation": self.separations[-1]}

    def divide_and_mix(self) -> Row:
        """Co-divide, then train each network on its division."""
        with self.timed("divide"):
            divisions, row = self.co_divide()
        if self.epoch in {self.warmup, (self.warmup + self.config.train.epochs) // 2}:
            self.records[self.epoch] = {**self.division[self.epoch], **self.held_out()}
        with self.timed("train"):
            row.update(self.train_on(divisions))
        return row

    def train_on(self, divisions: list[Division]) -> Row:
        """Train each network in turn on a division and return the epoch's mean losses.

        The guide of a network is the other network, in its current state or in that before the
        epoch (`peer_update`).
        """
        m = self.method
        synchronous = m.peer_update == "synchronous"
        guides = self.learners
        if synchronous:
            guides = [learner.frozen() for learner in self.learners]
        pairs = [(0, 1), (1, 0)] if m.networks == 2 else [(0, 0)]
        tallies = [Tally(self.data.train.device) for _ in pairs]
        for own, peer in pairs:
            guide = guides[peer] if peer != own else None
            division = divisions[peer if m.co_divide else own]
            # Set once: to visit every module in every step takes as long as a small forward pass.
            with guide.mode("eval") if guide else nullcontext():
                self.train_network(own, guide, division, tallies[own])
        if synchronous:
            self.learners[0].forwards += sum(guide.forwards for guide in guides)
        # The first wait for the device since the division.
        sums = torch.stack([tally.sums for tally in tallies]).tolist()
        for own, of_network in enumerate(sums):
            self.finite(sum(of_network), own)
        row: Row = dict(means_of(tallies, sums))
        if not self.data.train.true_known:
            row.pop("guess/accuracy", None)
        row["schedule/lambda_u"] = tallies[-1].lambda_u
        return row

    def train_network(
        self, own: int, guide: Learner | None, division: Division, tally: Tally
    ) -> None:
        """Train network `own` for one epoch on a division; add its losses to `tally`."""
        m = self.method
        learner = self.learners[own]
        data = self.data.chosen(division.rows)
        draws = Draws(
            views=data.draws(self.streams.torch("augment", self.epoch, own, device=data.device)),
            weights=self.streams.numpy("mixup", self.epoch, own, 0),
            partners=self.streams.numpy("mixup", self.epoch, own, 1),
        )
        warmup = self.warmup
        lambda_u = m.lambda_u
        if lambda_u == "auto":
            lambda_u = automatic_lambda_u(1 - float(division.labeled.mean()))
        for x, u, progress in data.ahead(self.batches(division.labeled, own)):
            batch = self.mixed_batch(learner, guide, data, x, u, division.weight[x], draws)
            tally.lambda_u = lambda_u * ramp_up(progress, warmup, m.rampup_epochs)
            logits = learner(batch.inputs)
            terms = losses(m, logits, batch.targets, batch.labeled_rows, self.prior)
            loss_x, loss_u, loss_prior = terms
            learner.step(loss_x + tally.lambda_u * loss_u + m.prior_penalty * loss_prior)
            right = (batch.guessed.argmax(1) == data.true[u]).sum()
            learned = len(u) if m.forward_rows == "all" else 0
            tally.add(terms, right, len(x), learned, len(u))

    def mixed_batch(
        self,
        learner: Learner,
        guide: Learner | None,
        data: Samples,
        x: torch.Tensor,
        u: torch.Tensor,
        weight: torch.Tensor,
        draws: Draws,
    ) -> Batch:
        """Draw the views of one step, co-guess and co-refine their targets, and mix both.

        Args:
            learner: the network that is trained.
            guide: the other network; None: there is only one.
            data: the divided samples.
            x: indices (batch,) of the labeled samples.
            u: indices (batch,) of the unlabeled samples; it may be empty.
            weight: clean probability (batch,) of the labeled samples.
            draws: generators of this network's epoch.
        """
        m = self.method
        learned_x, views_x = drawn_views(m, data, x, draws.views)
        learned_u, views_u = drawn_views(m, data, u, draws.views)
        one_hot = F.one_hot(data.given[x], self.data.classes).float()
        own_u, own_x = own_predictions(m, learner, views_u, views_x)
        targets_u = one_hot[:0]
        if len(u):
            targets_u = guessed_targets(m, own_u, guide, views_u)
        targets_x = refined_targets(m, own_x, one_hot, weight)
        inputs = torch.cat(learned_x + learned_u)
        targets = torch.cat([targets_x] * m.n_aug + [targets_u] * len(learned_u))
        labeled_rows = m.n_aug * len(x)
        if self.mixes:
            rngs = draws.weights, draws.partners
            inputs, targets = mixed(m, inputs, targets, labeled_rows, *rngs)
        learned = labeled_rows if m.forward_rows == "labeled" else len(inputs)
        return Batch(inputs[:learned], targets[:learned], labeled_rows, targets_u)

    def batches(
        self, labeled: np.ndarray, own: int
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor, float]]:
        """Yield (labeled indices, unlabeled indices, fractional number of epochs) for each step.

        Every labeled sample occurs once. After the last unlabeled sample, the unlabeled set is
        repeated in a new order. The last batch of either set may be short. The unlabeled batch is
        empty if fewer than two samples are unlabeled.
        """
        size = self.config.train.batch_size
        steps = int(labeled.sum()) // size + 1
        unlabeled = self.endless(np.flatnonzero(~labeled), own)
        order = self.shuffled(np.flatnonzero(labeled), own, 0)
        for step, x in enumerate(torch.split(order, size)):
            yield x, next(unlabeled), self.epoch + step / steps

    def endless(self, unlabeled: np.ndarray, own: int) -> Iterator[torch.Tensor]:
        """Yield batches of unlabeled indices without end."""
        device = self.data.train.device
        if len(unlabeled) < 2:
            yield from itertools.repeat(torch.empty(0, dtype=torch.int64, device=device))
        size = self.config.train.batch_size
        yield from torch.split(self.shuffled(unlabeled, own, 1), size)
        for turn in itertools.count(2):
            rng = self.streams.numpy("order", self.epoch, own, turn)
            order = torch.from_numpy(rng.permutation(unlabeled))
            yield from torch.split(order.to(device, non_blocking=True), size)

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the base class, the measured separations, `mixes` and the guard."""
        state = super().state_dict()
        state["separations"] = self.separations
        state["mixes"] = self.mixes
        if self.guard:
            state["guard"] = self.guard.state_dict()
        return state

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Resume from the result of `state_dict`."""
        super().load_state_dict(state)
        # Older checkpoints have neither.
        self.separations = list(state.get("separations", []))
        self.mixes = state.get("mixes", self.mixes)
        if self.guard:
            self.guard.load_state_dict(state["guard"])


def class_prior(prior: list[float] | None, data: Dataset) -> torch.Tensor | None:
    """Return `prior` normalised to frequencies (classes,) on the device; None: no prior.

    Raises:
        DataError: the prior has another number of classes than the data.
    """
    if prior is None:
        return None
    if len(prior) != data.classes:
        raise DataError(
            f"method.prior has {len(prior)} numbers, and the data have {data.classes} classes"
        )
    frequencies = torch.tensor(prior, device=data.train.device)
    return frequencies / frequencies.sum()
