"""The stages of one DivideMix step: predictions, targets, MixUp, losses, each with its switches."""

import numpy as np
import torch

from trainable.config.dividemix import DivideMix
from trainable.data.samples import Samples
from trainable.engine.learner import Learner
from trainable.noisy_labels.losses import labeled_loss, prior_loss, unlabeled_loss
from trainable.noisy_labels.targets import co_guess, co_refine, harden, mix, mixup_partners

Predictions = list[torch.Tensor]
"""One (batch, classes) a view."""


def drawn_views(
    m: DivideMix, data: Samples, index: torch.Tensor, rng: torch.Generator
) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """(views to learn from, views to predict targets from), each `n_aug` of (batch, channels, h, w); none of no images.

    They are the same ones, or as AugDesc has them: the strong ones first, which are learned from, then the weak ones.
    """
    if not len(index):
        return [], []
    if m.augment == "augdesc":
        return data.strong_views(index, m.n_aug, rng), data.views(index, m.n_aug, rng)
    views = data.views(index, m.n_aug, rng)
    return views, views


def own_predictions(
    m: DivideMix, learner: Learner, views_u: list[torch.Tensor], views_x: list[torch.Tensor]
) -> tuple[Predictions, Predictions]:
    """The trained network's predictions of the unlabeled and of the labeled views, as far as targets need them."""
    views_u = views_u if m.co_guess != "peer" else []
    views_x = views_x if m.co_refine else []
    views = [*views_u, *views_x]
    with learner.mode(m.guess_mode):
        if m.guess_batched and views:
            predictions = list(
                learner.probabilities(torch.cat(views)).split([len(view) for view in views])
            )
        else:  # BatchNorm: one forward a view, each moves the running statistics
            predictions = [learner.probabilities(view) for view in views]
    return predictions[: len(views_u)], predictions[len(views_u) :]


def guessed_targets(
    m: DivideMix, own: Predictions, guide: Learner | None, views: list[torch.Tensor]
) -> torch.Tensor:
    """Targets of the unlabeled images (batch, classes) from own predictions and, if there is one, the guide's."""
    predictions = own
    if m.co_guess and guide is not None:
        with guide.mode("eval"):  # no batch statistics here, so all views go at once
            predictions = [*own, *guide.probabilities(torch.cat(views)).chunk(len(views))]
    targets = co_guess(predictions, m.temperature if m.sharpen != "refine" else 1)
    return harden(targets) if m.hard_labels in ("guess", "both") else targets


def refined_targets(
    m: DivideMix, own: Predictions, one_hot: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    """Targets of the labeled images (batch, classes): own predictions, the peer's weight (batch,)."""
    if not m.co_refine:
        return one_hot
    targets = co_refine(one_hot, weight, own, m.temperature if m.sharpen != "guess" else 1)
    return harden(targets) if m.hard_labels in ("refine", "both") else targets


def mixed(
    m: DivideMix,
    inputs: torch.Tensor,
    targets: torch.Tensor,
    labeled_rows: int,
    weights: np.random.Generator,
    partners: np.random.Generator,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The rows that are learned from, (rows, channels, h, w) and (rows, classes): mixed, the labeled ones first.

    One weight and one set of partners serve the whole batch, images and targets alike.
    """
    if m.mixup:
        weight = weights.beta(m.alpha, m.alpha)
        chosen = mixup_partners(partners, len(inputs), labeled_rows, m.mixup_partner == "same_set")
        partner = torch.from_numpy(chosen).to(inputs.device, non_blocking=True)
        inputs, targets = (
            mix(rows, max(weight, 1 - weight), partner) for rows in (inputs, targets)
        )
    learned = labeled_rows if m.forward_rows == "labeled" else len(inputs)
    return inputs[:learned], targets[:learned]


def losses(
    m: DivideMix,
    logits: torch.Tensor,
    targets: torch.Tensor,
    labeled_rows: int,
    prior: torch.Tensor | None,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(labeled, unlabeled, prior) losses of a mixed batch whose first `labeled_rows` rows are labeled."""
    x, u = logits[:labeled_rows], logits[labeled_rows:]
    loss_u = (
        unlabeled_loss(u, targets[labeled_rows:], m.unlabeled_loss) if len(u) else x.new_zeros(())
    )
    return labeled_loss(x, targets[:labeled_rows]), loss_u, prior_loss(logits, prior)
