"""Stages of one DivideMix step, with their switches: predictions, targets, MixUp, losses."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from trainable.config.dividemix import DivideMix
from trainable.data.samples import Draws as ViewDraws
from trainable.data.samples import Samples
from trainable.engine.learner import Learner
from trainable.noisy_labels.losses import labeled_loss, prior_loss, unlabeled_loss
from trainable.noisy_labels.targets import co_guess, co_refine, harden, mix, mixup_partners

Predictions = list[torch.Tensor]
"""One (batch, classes) per view."""

TALLIED = ("loss/labeled", "loss/unlabeled", "loss/prior", "guess/accuracy")
"""Metrics of the epoch's row that a `Tally` averages."""


@dataclass(frozen=True)
class Draws:
    """Generators of one network's epoch: views, MixUp weights and MixUp partners."""

    views: ViewDraws
    weights: np.random.Generator
    partners: np.random.Generator


@dataclass(frozen=True)
class Batch:
    """Mixed rows of one step, the labeled rows first."""

    inputs: torch.Tensor
    """(rows, channels, h, w)."""
    targets: torch.Tensor
    """(rows, classes)."""
    labeled_rows: int
    guessed: torch.Tensor
    """Targets (batch, classes) of the unlabeled images, before MixUp."""


class Tally:
    """Sums of losses and right guesses over a network's steps, weighted by the number of images.

    The sums are on the device, so that no step waits for a transfer.

    Attributes:
        sums: (4,), in the order of `TALLIED`.
        counts: number of images of each sum, (4,).
        lambda_u: weight of the unlabeled loss in the last step.
    """

    def __init__(self, device: torch.device):
        self.sums = torch.zeros(len(TALLIED), device=device)
        self.counts = np.zeros(len(TALLIED))
        self.lambda_u = 0.0

    def add(
        self,
        terms: Sequence[torch.Tensor],
        right: torch.Tensor,
        labeled: int,
        learned: int,
        guessed: int,
    ) -> None:
        """Add the losses and guesses of a step.

        Args:
            terms: labeled, unlabeled and prior loss.
            right: number of right guesses.
            labeled: number of labeled images.
            learned: number of unlabeled images that the network learns from.
            guessed: number of unlabeled images.
        """
        images = (labeled, learned, labeled + learned)
        sums = [loss.detach() * n for loss, n in zip(terms, images, strict=True)]
        self.sums += torch.stack([*sums, 100 * right])
        self.counts += [*images, guessed]


def means_of(tallies: Sequence[Tally], sums: Sequence[Sequence[float]]) -> dict[str, float]:
    """Return the means over the images of all tallies (guesses in percent).

    Those of zero images are left out. `sums` are the tallies' sums as numbers.
    """
    means = {}
    totals = np.sum(sums, axis=0).tolist()
    counts = np.sum([tally.counts for tally in tallies], axis=0).tolist()
    for name, total, count in zip(TALLIED, totals, counts, strict=True):
        if count:
            means[name] = total / count
    return means


def drawn_views(
    m: DivideMix, data: Samples, index: torch.Tensor, rng: ViewDraws
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Return the views to learn from and the views to predict targets from.

    Both are lists of `n_aug` tensors (batch, channels, h, w), or empty if `index` is empty. They
    are the same views, except with `augment: augdesc`: the network then learns from strong views,
    which are drawn before the weak ones.
    """
    if not len(index):
        return [], []
    if m.augment == "augdesc":
        strong = data.strong_views(index, m.n_aug, rng)
        return strong, data.views(index, m.n_aug, rng)
    views = data.views(index, m.n_aug, rng)
    return views, views


def own_predictions(
    m: DivideMix, learner: Learner, views_u: list[torch.Tensor], views_x: list[torch.Tensor]
) -> tuple[Predictions, Predictions]:
    """Return the trained network's predictions for the unlabeled and the labeled views.

    A list is empty if no target needs it (`co_guess: peer`, `co_refine: false`).
    """
    if m.co_guess == "peer":
        views_u = []
    if not m.co_refine:
        views_x = []
    views = views_u + views_x
    with learner.mode(m.guess_mode):
        if not views:
            predictions = []
        elif m.guess_batched:
            together = learner.probabilities(torch.cat(views))
            predictions = list(torch.split(together, [len(view) for view in views]))
        else:
            predictions = learner.probabilities_of_views(views)
    return predictions[: len(views_u)], predictions[len(views_u) :]


def guessed_targets(
    m: DivideMix, own: Predictions, guide: Learner | None, views: list[torch.Tensor]
) -> torch.Tensor:
    """Return the targets of the unlabeled images, (batch, classes).

    They are the sharpened mean of the network's own predictions and those of the guide.
    """
    predictions = own
    if m.co_guess and guide is not None:
        with guide.mode("eval"):  # no batch statistics, so one forward suffices for all views
            guides = guide.probabilities(torch.cat(views)).chunk(len(views))
        predictions = [*own, *guides]
    temperature = m.temperature if m.sharpen != "refine" else 1
    targets = co_guess(predictions, temperature)
    if m.hard_labels in ("guess", "both"):
        return harden(targets)
    return targets


def refined_targets(
    m: DivideMix, own: Predictions, one_hot: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Return the targets of the labeled images, (batch, classes).

    They mix the given labels `one_hot` with the network's own predictions; `weight` (batch,) is the
    clean probability.
    """
    if not m.co_refine:
        return one_hot
    temperature = m.temperature if m.sharpen != "guess" else 1
    targets = co_refine(one_hot, weight, own, temperature)
    if m.hard_labels in ("refine", "both"):
        return harden(targets)
    return targets


def mixed(
    m: DivideMix,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    labeled_rows: int,
    weights: np.random.Generator,
    partners: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mix the rows of a batch in pairs.

    Inputs are (rows, channels, h, w), targets (rows, classes). The whole batch has one weight and
    one permutation of partners, for inputs and targets alike.
    """
    drawn = weights.beta(m.alpha, m.alpha)
    weight = max(drawn, 1 - drawn)
    chosen = mixup_partners(partners, len(inputs), labeled_rows, m.mixup_partner == "same_set")
    partner = torch.from_numpy(chosen).to(inputs.device, non_blocking=True)
    return mix(inputs, weight, partner), mix(targets, weight, partner)


def losses(
    m: DivideMix,
    logits: torch.Tensor,
    targets: torch.Tensor,
    labeled_rows: int,
    prior: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the labeled, unlabeled and prior loss of a mixed batch.

    The first `labeled_rows` rows are labeled.
    """
    labeled = logits[:labeled_rows]
    unlabeled = logits[labeled_rows:]
    loss_u = labeled.new_zeros(())
    if len(unlabeled):
        loss_u = unlabeled_loss(unlabeled, targets[labeled_rows:], m.unlabeled_loss)
    loss_x = labeled_loss(labeled, targets[:labeled_rows])
    return loss_x, loss_u, prior_loss(logits, prior)
