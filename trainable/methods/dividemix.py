"""DivideMix (Li, Socher, Hoi, ICLR 2020, arXiv 2002.07394) with a switch for every component.

Follows `train`, `warmup` and `eval_train` of the authors' `Train_cifar.py` (github.com/LiJunnan1992/DivideMix), also
where the paper differs.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from trainable import metrics
from trainable.config import DivideMix as DivideMixConfig
from trainable.config import TrialConfig
from trainable.data.noise import class_dependent
from trainable.data.sources import Dataset
from trainable.divide import Mixture, fit_mixture, normalise, split
from trainable.learner import Learner
from trainable.losses import labeled_loss, prior_loss, ramp_up, unlabeled_loss
from trainable.methods.base import Method, Row
from trainable.streams import Streams
from trainable.targets import co_guess, co_refine, mix


@dataclass
class Verdict:
    """One network's judgement of all training samples, and the division that follows."""

    logits: torch.Tensor
    losses: np.ndarray
    mixture: Mixture
    labeled: np.ndarray
    threshold: float
    weight: torch.Tensor
    """Clean probability (n,) on the device."""
    rows: np.ndarray | None = None
    """Places of the samples that were judged; None: all."""


class DivideMix(Method):
    """Warm-up, then co-divide and two-network MixMatch."""

    def __init__(self, config: TrialConfig, data: Dataset, learners: list[Learner], streams: Streams):
        super().__init__(config, data, learners, streams)
        assert isinstance(config.method, DivideMixConfig)
        self.method = config.method
        self.history: list[list[np.ndarray]] = [[] for _ in learners]
        penalty = {"on": True, "off": False, "auto": class_dependent(config.noise)}
        self.conf_penalty = penalty[self.method.conf_penalty]
        warmup, end = self.method.warmup_epochs, config.train.epochs
        self._recorded = {warmup, (warmup + end) // 2}

    def train_epoch(self) -> Row:
        """A warm-up epoch, or one of co-divide and two-network MixMatch."""
        if self.epoch < self.method.warmup_epochs:
            row = {"phase": "warmup", **self.cross_entropy_epoch(self.conf_penalty)}
        else:
            row = {"phase": "dividemix", **self.divide_and_mix()}
        if self.epoch + 1 == self.config.train.epochs:
            with self.uncounted():
                self.record(self.epoch + 1, [self.judge(k, finished=1) for k in range(len(self.learners))])
        return row

    def divide_and_mix(self) -> Row:
        """Co-divide, then train each network on its division."""
        with self.timed("divide"):
            verdicts = [self.judge(k) for k in range(len(self.learners))]  # both judge before either trains
            row = self.describe(verdicts)
        if self.epoch in self._recorded:
            self.record(self.epoch, verdicts)
        with self.timed("train"):
            return row | self.train_on(verdicts)

    def judge(self, k: int, finished: int = 0) -> Verdict:
        """Divide the training samples by network k's losses."""
        rows = self.data.epoch_rows(
            self.streams.numpy("subset", self.epoch + finished, k), self.config.train.batch_size
        )
        logits, loss = self.judge_logits(self.learners[k], self.data.chosen(rows))
        self.finite(loss.sum(), k)
        losses = loss.cpu().numpy()
        # The averaged history is not normalised again, as in the authors' code.
        self.history[k] = [*self.history[k], normalise(losses)][-self.method.loss_history :]
        mixture = fit_mixture(
            np.mean(self.history[k], axis=0), self.streams.number("mixture", self.epoch + finished, k)
        )
        labeled, threshold = split(mixture.clean_probability, self.method.p_threshold)
        weight = torch.from_numpy(mixture.clean_probability.astype(np.float32)).to(loss.device)
        return Verdict(logits, losses, mixture, labeled, threshold, weight, rows)

    def train_on(self, verdicts: list[Verdict]) -> Row:
        """Train each network in turn on a division; the second is guided by the first's new weights."""
        m = self.method
        tally, seen = torch.zeros(4, device=self.data.train.device), np.zeros(4)
        for own, peer in ((0, 1), (1, 0)) if m.networks == 2 else ((0, 0),):
            learner, other = self.learners[own], self.learners[peer]
            verdict = verdicts[peer if m.co_divide else own]
            data = self.data.chosen(verdict.rows)
            views = self.streams.torch("augment", self.epoch, own, device=data.device)
            weights, partners = (self.streams.numpy("mixup", self.epoch, own, part) for part in (0, 1))
            for x, u, progress in data.ahead(self.batches(verdict.labeled, own)):
                views_x, views_u = data.views(x, 2, views), data.views(u, 2, views) if len(u) else []
                one_hot = F.one_hot(data.given[x], self.data.classes).float()
                targets_u = guessed_targets(m, learner, other, views_u) if len(u) else one_hot[:0]
                targets_x = refined_targets(m, learner, views_x, one_hot, verdict.weight[x])
                inputs = torch.cat([*views_x, *views_u])
                targets = torch.cat([targets_x, targets_x, *([targets_u] * len(views_u))])
                if m.mixup:
                    weight = weights.beta(m.alpha, m.alpha)
                    partner = torch.from_numpy(partners.permutation(len(inputs))).to(data.device)
                    inputs, targets = (mix(rows, max(weight, 1 - weight), partner) for rows in (inputs, targets))
                lambda_u = m.lambda_u * ramp_up(progress, m.warmup_epochs, m.rampup_epochs)
                loss_x, loss_u, loss_prior = losses(learner(inputs), targets, labeled_rows=2 * len(x))
                learner.step(loss_x + lambda_u * loss_u + m.prior_penalty * loss_prior)

                right = 100 * (targets_u.argmax(1) == data.true[u]).sum()
                counts = (len(x), len(u), len(x) + len(u))
                sums = [loss.detach() * n for loss, n in zip((loss_x, loss_u, loss_prior), counts, strict=True)]
                tally += torch.stack([*sums, right])
                seen += [*counts, len(u)]
            self.finite(tally.sum(), own)
        names = ("loss/labeled", "loss/unlabeled", "loss/prior", "guess/accuracy")
        means = {name: total / n for name, total, n in zip(names, tally.tolist(), seen.tolist(), strict=True) if n}
        if not self.data.train.true_known:
            means.pop("guess/accuracy", None)
        return {**means, "schedule/lambda_u": lambda_u}

    def batches(self, labeled: np.ndarray, own: int) -> Iterator[tuple[torch.Tensor, torch.Tensor, float]]:
        """(labeled indices, unlabeled indices, finished epochs with parts) for each step of an epoch.

        Every labeled sample comes once; the unlabeled ones start again, in a new order, when they run out. The last
        batch of either may be short. The unlabeled one is empty if fewer than two samples are unlabeled.
        """
        size, parts = self.config.train.batch_size, int(labeled.sum()) // self.config.train.batch_size + 1
        unlabeled = self.endless(np.flatnonzero(~labeled), own)
        for step, x in enumerate(self.shuffled(np.flatnonzero(labeled), own, 0).split(size)):
            yield x, next(unlabeled), self.epoch + step / parts

    def endless(self, unlabeled: np.ndarray, own: int) -> Iterator[torch.Tensor]:
        """Batches of unlabeled indices without end."""
        unlabeled = unlabeled if len(unlabeled) > 1 else unlabeled[:0]
        for turn in itertools.count(1):
            yield from self.shuffled(unlabeled, own, turn).split(self.config.train.batch_size)

    def describe(self, verdicts: list[Verdict]) -> Row:
        """Quality of each network's division, against the truth where it is known, and of the ensemble's opinion."""
        train = self.data.train
        clean = (train.given == train.true).cpu().numpy()
        row: Row = {}
        for k, v in enumerate(verdicts):
            if train.true_known:
                judged = clean if v.rows is None else clean[v.rows]
                measured = metrics.division(v.mixture.clean_probability, v.labeled, judged)
                row |= {f"division/{name}_net{k}": value for name, value in measured.items()}
            row[f"division/labeled_fraction_net{k}"] = float(v.labeled.mean())
            row[f"division/threshold_net{k}"] = v.threshold
            for name, pair in (("mean", v.mixture.means), ("sd", v.mixture.sds), ("weight", v.mixture.weights)):
                row |= {f"mixture/{name}_{side}_net{k}": x for side, x in zip(("clean", "noisy"), pair, strict=True)}
        if any(v.rows is not None for v in verdicts):
            return row  # the networks judged different samples
        if len(verdicts) == 2:
            agree = (verdicts[0].logits.argmax(1) == verdicts[1].logits.argmax(1)).double().mean()
            row["train/agreement"] = 100 * agree.item()
        total = torch.stack([v.logits for v in verdicts]).sum(0)
        row["train/accuracy_given"] = metrics.accuracy(total, train.given)
        if train.true_known:
            row["train/accuracy_true"] = metrics.accuracy(total, train.true)
        return row

    def record(self, epoch: int, verdicts: list[Verdict]) -> None:
        """Keep each sample's loss and clean probability after `epoch` epochs, and the ensemble's opinion."""
        self.records[epoch] = {
            "loss": np.stack([self.placed(v.losses, v) for v in verdicts]),
            "clean_probability": np.stack([self.placed(v.mixture.clean_probability, v) for v in verdicts]),
        }
        if all(v.rows is None for v in verdicts):
            self.records[epoch] |= self.ensemble([v.logits for v in verdicts])

    def placed(self, values: np.ndarray, verdict: Verdict) -> np.ndarray:
        """Values of the judged samples as values of all (n,); NaN for those that were not judged."""
        if verdict.rows is None:
            return values
        everywhere = np.full(len(self.data.train), np.nan, values.dtype)
        everywhere[verdict.rows] = values
        return everywhere

    def state_dict(self) -> dict[str, Any]:
        """The shared state and the loss history."""
        return {**super().state_dict(), "history": [[torch.from_numpy(h) for h in net] for net in self.history]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state_dict`'s result."""
        super().load_state_dict(state)
        self.history = [[h.numpy() for h in net] for net in state["history"]]


def guessed_targets(m: DivideMixConfig, learner: Learner, other: Learner, views: list[torch.Tensor]) -> torch.Tensor:
    """Targets of the unlabeled images (batch, classes) from up to four predictions."""
    predictions: list[torch.Tensor] = []
    if m.co_guess != "peer":
        with learner.mode(m.guess_mode):  # BatchNorm: one forward a view, each moves the running statistics
            predictions += [learner.probabilities(view) for view in views]
    if m.co_guess and other is not learner:
        with other.mode("eval"):  # no batch statistics here, so all views go at once
            predictions += other.probabilities(torch.cat(views)).chunk(len(views))
    return co_guess(predictions, m.temperature)


def refined_targets(
    m: DivideMixConfig, learner: Learner, views: list[torch.Tensor], one_hot: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Targets of the labeled images (batch, classes): own predictions, the peer's weight."""
    if not m.co_refine:
        return one_hot
    with learner.mode(m.guess_mode):
        return co_refine(one_hot, weight, [learner.probabilities(view) for view in views], m.temperature)


def losses(
    logits: torch.Tensor, targets: torch.Tensor, labeled_rows: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(labeled, unlabeled, prior) losses of a mixed batch whose first `labeled_rows` rows are labeled."""
    x, u = logits[:labeled_rows], logits[labeled_rows:]
    loss_u = unlabeled_loss(u, targets[labeled_rows:]) if len(u) else x.new_zeros(())
    return labeled_loss(x, targets[:labeled_rows]), loss_u, prior_loss(logits)
