"""DivideMix (Li, Socher, Hoi, ICLR 2020, arXiv 2002.07394) with a switch for every component.

Follows `train`, `warmup` and `eval_train` of the authors' `Train_cifar.py` (github.com/LiJunnan1992/DivideMix), also
where the paper differs.
"""

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from trainable.config.dividemix import DivideMix as DivideMixConfig
from trainable.config.trial import TrialConfig
from trainable.data.dataset import Dataset, Samples
from trainable.data.noise import class_dependent
from trainable.engine.learner import Learner
from trainable.errors import DataError
from trainable.methods.base import Method, Row
from trainable.methods.dividemix_division import (
    Verdict,
    agree,
    clean_mixture,
    describe,
    divide,
    opinion,
)
from trainable.methods.dividemix_step import (
    drawn_views,
    guessed_targets,
    losses,
    mixed,
    own_predictions,
    refined_targets,
)
from trainable.noisy_labels.auto_warmup import ended, separation
from trainable.noisy_labels.gaussian_mixture import normalise
from trainable.noisy_labels.neighbors import label_support
from trainable.noisy_labels.ramp_up import ramp_up
from trainable.random_streams import Streams


class DivideMix(Method):
    """Warm-up, then co-divide and two-network MixMatch."""

    def __init__(
        self, config: TrialConfig, data: Dataset, learners: list[Learner], streams: Streams
    ):
        super().__init__(config, data, learners, streams)
        assert isinstance(config.method, DivideMixConfig)
        self.method = config.method
        self.history: list[list[np.ndarray]] = [[] for _ in learners]
        self.separations: list[float] = []
        penalty = {"on": True, "off": False, "auto": class_dependent(config.noise)}
        self.conf_penalty = penalty[self.method.conf_penalty]
        self.prior = class_prior(self.method.prior, data)

    @property
    def warmup(self) -> float:
        """Epochs of the warm-up; infinite until `auto` has ended it."""
        if self.method.warmup_epochs != "auto":
            return self.method.warmup_epochs
        return (
            len(self.separations) if ended(self.separations, self.config.train.epochs) else math.inf
        )

    def train_epoch(self) -> Row:
        """A warm-up epoch, or one of co-divide and two-network MixMatch."""
        if self.epoch < self.warmup:
            row = {
                "phase": "warmup",
                **self.cross_entropy_epoch(self.conf_penalty),
                **self.separate(),
            }
        else:
            row = {"phase": "dividemix", **self.divide_and_mix()}
        if self.epoch + 1 == self.config.train.epochs:
            with self.uncounted():
                verdicts = [self.judge(k, finished=1) for k in range(len(self.learners))]
                self.records[self.epoch + 1] = self.seen(verdicts)
        return row

    def separate(self) -> Row:
        """With `warmup_epochs: auto`, how far apart the two groups of losses are after a warm-up epoch."""
        if self.method.warmup_epochs != "auto":
            return {}
        apart = []
        with self.timed("divide"):
            for k, learner in enumerate(self.learners):
                _, loss = self.judge_logits(
                    learner, self.data.chosen(self.rows_of_epoch(k, self.epoch + 1))
                )
                self.finite(loss.sum(), k)
                apart.append(
                    separation(
                        loss.cpu().numpy(), self.streams.number("mixture", self.epoch + 1, k)
                    )
                )
        self.separations.append(float(np.mean(apart)))
        return {"warmup/separation": self.separations[-1]}

    def divide_and_mix(self) -> Row:
        """Co-divide, then train each network on its division."""
        with self.timed("divide"):
            verdicts = [
                self.judge(k) for k in range(len(self.learners))
            ]  # both judge before either trains
            row = agree(self.method, verdicts, self.data.train.given)
            row |= describe(self.method, verdicts, self.data.train)
            if all(v.rows is None for v in verdicts):  # else the networks judged different samples
                row |= opinion(
                    verdicts, self.data.train, self.combined([v.logits for v in verdicts])
                )
            self.division = {self.epoch: self.seen(verdicts)}
        if self.epoch in {self.warmup, (self.warmup + self.config.train.epochs) // 2}:
            self.records |= self.division
        with self.timed("train"):
            return row | self.train_on(verdicts)

    def judge(self, k: int, finished: int = 0) -> Verdict:
        """Divide the training samples by network k's losses, its embedding, or both."""
        m = self.method
        rows = self.rows_of_epoch(k, self.epoch + finished)
        train = self.data.chosen(rows)
        logits, loss, support = self.evidence(self.learners[k], train)
        self.finite(loss.sum(), k)
        losses = loss.cpu().numpy()
        # The averaged history is not normalised again, as in the authors' code.
        self.history[k] = [*self.history[k], normalise(losses) if m.normalise_losses else losses][
            -m.loss_history :
        ]
        seed = self.streams.number("mixture", self.epoch + finished, k)
        mixture = clean_mixture(m, np.mean(self.history[k], axis=0), support, seed)
        labeled, threshold = divide(m, mixture.clean_probability, losses, train)
        weight = torch.from_numpy(mixture.clean_probability.astype(np.float32)).to(loss.device)
        return Verdict(logits, losses, mixture, labeled, threshold, weight, rows)

    def rows_of_epoch(self, k: int, epoch: int) -> np.ndarray | None:
        """Which training samples network k judges for the epoch after `epoch` ones; None: all."""
        return self.data.epoch_rows(
            self.streams.numpy("subset", epoch, k), self.config.train.batch_size
        )

    def evidence(
        self, learner: Learner, train: Samples
    ) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
        """(logits (n, classes), losses (n,), the neighbours' support of each label (n,), or empty if not asked for)."""
        if self.method.division == "loss":
            return *self.judge_logits(learner, train), np.empty(0)
        logits, features = learner.logits_and_features(train)
        support = label_support(features, train.given, self.data.classes, self.method.neighbors)
        return (
            logits,
            F.cross_entropy(logits, train.given, reduction="none"),
            support.double().cpu().numpy(),
        )

    def train_on(self, verdicts: list[Verdict]) -> Row:
        """Train each network in turn on a division, guided by the other as it then is, or as it is now."""
        m, warmup = self.method, self.warmup
        synchronous = m.peer_update == "synchronous"
        guides = [learner.frozen() for learner in self.learners] if synchronous else self.learners
        tally, seen = torch.zeros(4, device=self.data.train.device), np.zeros(4)
        for own, peer in ((0, 1), (1, 0)) if m.networks == 2 else ((0, 0),):
            learner, guide = self.learners[own], guides[peer] if peer != own else None
            verdict = verdicts[peer if m.co_divide else own]
            data = self.data.chosen(verdict.rows)
            views = self.streams.torch("augment", self.epoch, own, device=data.device)
            weights, partners = (
                self.streams.numpy("mixup", self.epoch, own, part) for part in (0, 1)
            )
            for x, u, progress in data.ahead(self.batches(verdict.labeled, own)):
                learned_x, views_x = drawn_views(m, data, x, views)
                learned_u, views_u = drawn_views(m, data, u, views)
                one_hot = F.one_hot(data.given[x], self.data.classes).float()
                own_u, own_x = own_predictions(m, learner, views_u, views_x)
                targets_u = guessed_targets(m, own_u, guide, views_u) if len(u) else one_hot[:0]
                targets_x = refined_targets(m, own_x, one_hot, verdict.weight[x])
                inputs = torch.cat([*learned_x, *learned_u])
                targets = torch.cat([*([targets_x] * m.n_aug), *([targets_u] * len(learned_u))])
                labeled_rows = m.n_aug * len(x)
                inputs, targets = mixed(m, inputs, targets, labeled_rows, weights, partners)
                lambda_u = m.lambda_u * ramp_up(progress, warmup, m.rampup_epochs)
                loss_x, loss_u, loss_prior = losses(
                    m, learner(inputs), targets, labeled_rows, self.prior
                )
                learner.step(loss_x + lambda_u * loss_u + m.prior_penalty * loss_prior)

                right = 100 * (targets_u.argmax(1) == data.true[u]).sum()
                learned = len(u) if m.forward_rows == "all" else 0
                counts = (len(x), learned, len(x) + learned)
                sums = [
                    loss.detach() * n
                    for loss, n in zip((loss_x, loss_u, loss_prior), counts, strict=True)
                ]
                tally += torch.stack([*sums, right])
                seen += [*counts, len(u)]
            self.finite(tally.sum(), own)
        if synchronous:
            self.learners[0].forwards += sum(guide.forwards for guide in guides)
        names = ("loss/labeled", "loss/unlabeled", "loss/prior", "guess/accuracy")
        means = {
            name: total / n
            for name, total, n in zip(names, tally.tolist(), seen.tolist(), strict=True)
            if n
        }
        if not self.data.train.true_known:
            means.pop("guess/accuracy", None)
        return {**means, "schedule/lambda_u": lambda_u}

    def batches(
        self, labeled: np.ndarray, own: int
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor, float]]:
        """(labeled indices, unlabeled indices, finished epochs with parts) for each step of an epoch.

        Every labeled sample comes once; the unlabeled ones start again, in a new order, when they run out. The last
        batch of either may be short. The unlabeled one is empty if fewer than two samples are unlabeled.
        """
        size, parts = (
            self.config.train.batch_size,
            int(labeled.sum()) // self.config.train.batch_size + 1,
        )
        unlabeled = self.endless(np.flatnonzero(~labeled), own)
        for step, x in enumerate(self.shuffled(np.flatnonzero(labeled), own, 0).split(size)):
            yield x, next(unlabeled), self.epoch + step / parts

    def endless(self, unlabeled: np.ndarray, own: int) -> Iterator[torch.Tensor]:
        """Batches of unlabeled indices without end."""
        unlabeled = unlabeled if len(unlabeled) > 1 else unlabeled[:0]
        for turn in itertools.count(1):
            yield from self.shuffled(unlabeled, own, turn).split(self.config.train.batch_size)

    def combined(self, logits: Sequence[torch.Tensor]) -> torch.Tensor:
        """The ensemble's scores (n, classes): summed logits, or the mean of the networks' probabilities."""
        if self.method.ensemble == "logits":
            return super().combined(logits)
        return torch.stack([each.softmax(1) for each in logits]).mean(0)

    def seen(self, verdicts: list[Verdict]) -> dict[str, np.ndarray]:
        """Each sample's loss and clean probability, (networks, n), and the ensemble's opinion, (n,)."""
        record = {
            "loss": np.stack([self.placed(v.losses, v) for v in verdicts]),
            "clean_probability": np.stack(
                [self.placed(v.mixture.clean_probability, v) for v in verdicts]
            ),
        }
        if all(v.rows is None for v in verdicts):
            record |= self.ensemble([v.logits for v in verdicts])
        return record

    def placed(self, values: np.ndarray, verdict: Verdict) -> np.ndarray:
        """Values of the judged samples as values of all (n,); NaN for those that were not judged."""
        if verdict.rows is None:
            return values
        everywhere = np.full(len(self.data.train), np.nan, values.dtype)
        everywhere[verdict.rows] = values
        return everywhere

    def state_dict(self) -> dict[str, Any]:
        """The shared state, the loss history, and what `warmup_epochs: auto` has measured."""
        history = [[torch.from_numpy(h) for h in net] for net in self.history]
        return {**super().state_dict(), "history": history, "separations": self.separations}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`'s result."""
        super().load_state_dict(state)
        self.history = [[h.numpy() for h in net] for net in state["history"]]
        self.separations = list(
            state.get("separations", [])
        )  # states from before there was `auto` have none


def class_prior(prior: list[float] | None, data: Dataset) -> torch.Tensor | None:
    """`prior` as frequencies (classes,) on the device; None stays None. Raises DataError."""
    if prior is None:
        return None
    if len(prior) != data.classes:
        raise DataError(
            f"method.prior has {len(prior)} numbers, and the data have {data.classes} classes"
        )
    frequencies = torch.tensor(prior, device=data.train.device)
    return frequencies / frequencies.sum()
