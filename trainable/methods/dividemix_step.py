"""The stages of one DivideMix step: predictions, targets, MixUp, losses, each with its switches."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from trainable.config.dividemix import DivideMix
from trainable.data.samples import Samples
from trainable.engine.learner import Learner
from trainable.noisy_labels.losses import labeled_loss, prior_loss, unlabeled_loss
from trainable.noisy_labels.targets import co_guess, co_refine, harden, mix, mixup_partners

Predictions = list[torch.Tensor]
"""One (batch, classes) a view."""

TALLIED = ("loss/labeled", "loss/unlabeled", "loss/prior", "guess/accuracy")
"""Names in the epoch's row of what a `Tally` averages."""


@dataclass(frozen=True)
class Draws:
    """Generators of one network's epoch: for views, for MixUp's weights and for its partners."""

    views: torch.Generator
    weights: np.random.Generator
    partners: np.random.Generator


@dataclass(frozen=True)
class Batch:
    """What one step learns from: mixed rows, the labeled ones first."""

    inputs: torch.Tensor
    """(rows, channels, h, w)."""
    targets: torch.Tensor
    """(rows, classes)."""
    labeled_rows: int
    guessed: torch.Tensor
    """Targets (batch, classes) of the unlabeled images, before MixUp."""


class Tally:
    """Sums of the losses and of right guesses over an epoch's steps, each weighted by its images.

    Sums stay on the device, so that no step waits for it.

    Attributes:
        sums: (4,), in the order of `TALLIED`.
        counts: images of each sum, (4,).
        lambda_u: weight of the unlabeled loss in the newest step.
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
        """Add a step.

        Args:
            terms: its (labeled, unlabeled, prior) losses.
            right: number of right guesses.
            labeled: number of labeled images.
            learned: number of unlabeled images that the network learns from.
            guessed: number of unlabeled images.
        """
        images = (labeled, learned, labeled + learned)
        sums = [loss.detach() * n for loss, n in zip(terms, images, strict=True)]
        self.sums += torch.stack([*sums, 100 * right])
        self.counts += [*images, guessed]

    def means(self) -> dict[str, float]:
        """Means over the images, without those of no image; guesses in percent."""
        found = {}
        sums = self.sums.tolist()
        counts = self.counts.tolist()
        for name, total, count in zip(TALLIED, sums, counts, strict=True):
            if count:
                found[name] = total / count
        return found


def drawn_views(
    m: DivideMix, data: Samples, index: torch.Tensor, rng: torch.Generator
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """(views to learn from, views to predict targets from), none of no images.

    Each are `n_aug` of (batch, channels, h, w). They are the same ones, or as AugDesc has them: the
    strong ones are drawn first, which are learned from, then the weak ones.
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
    """The trained network's predictions of the unlabeled and of the labeled views.

    Both only as far as targets need them.
    """
    if m.co_guess == "peer":
        views_u = []
    if not m.co_refine:
        views_x = []
    views = views_u + views_x
    with learner.mode(m.guess_mode):
        if m.guess_batched and views:
            together = learner.probabilities(torch.cat(views))
            predictions = list(torch.split(together, [len(view) for view in views]))
        else:  # BatchNorm: one forward a view, each moves the running statistics
            predictions = [learner.probabilities(view) for view in views]
    return predictions[: len(views_u)], predictions[len(views_u) :]


def guessed_targets(
    m: DivideMix, own: Predictions, guide: Learner | None, views: list[torch.Tensor]
) -> torch.Tensor:
    """Targets of the unlabeled images (batch, classes).

    They come from own predictions and, if there is a guide, from its predictions too.
    """
    predictions = own
    if m.co_guess and guide is not None:
        with guide.mode("eval"):  # no batch statistics here, so all views go at once
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
    """Targets of the labeled images (batch, classes): own predictions, peer's weight (batch,)."""
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
    """The rows that are learned from, mixed, the labeled ones first.

    They are (rows, channels, h, w) and (rows, classes). One weight and one set of partners serve
    the whole batch, images and targets alike.
    """
    if m.mixup:
        drawn = weights.beta(m.alpha, m.alpha)
        weight = max(drawn, 1 - drawn)
        chosen = mixup_partners(partners, len(inputs), labeled_rows, m.mixup_partner == "same_set")
        partner = torch.from_numpy(chosen).to(inputs.device, non_blocking=True)
        inputs = mix(inputs, weight, partner)
        targets = mix(targets, weight, partner)
    learned = labeled_rows if m.forward_rows == "labeled" else len(inputs)
    return inputs[:learned], targets[:learned]


def losses(
    m: DivideMix,
    logits: torch.Tensor,
    targets: torch.Tensor,
    labeled_rows: int,
    prior: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(labeled, unlabeled, prior) losses of a mixed batch.

    Its first `labeled_rows` rows are labeled, and the others are not.
    """
    labeled = logits[:labeled_rows]
    unlabeled = logits[labeled_rows:]
    loss_u = labeled.new_zeros(())
    if len(unlabeled):
        loss_u = unlabeled_loss(unlabeled, targets[labeled_rows:], m.unlabeled_loss)
    loss_x = labeled_loss(labeled, targets[:labeled_rows])
    return loss_x, loss_u, prior_loss(logits, prior)
