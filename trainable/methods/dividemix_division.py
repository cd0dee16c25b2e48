"""Division of the training samples by a network: clean probability, labeled set, quality."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from trainable.config.dividemix import DivideMix
from trainable.data.samples import Samples
from trainable.engine import metrics
from trainable.engine.predictions import EnsemblePredictions
from trainable.noisy_labels.gaussian_mixture import Mixture, fit_mixture, fit_plane, monotone
from trainable.noisy_labels.sample_selection import agreed, balanced, split


@dataclass
class Division:
    """Division of n training samples by one network, and the predictions that it follows from."""

    losses: np.ndarray
    """Cross-entropy with the given labels, (n,), nats."""
    classes: torch.Tensor
    """Predicted classes, (n,)."""
    mixture: Mixture
    labeled: np.ndarray
    """Whether a sample is in the labeled set, (n,) bool."""
    threshold: float
    """Clean probability above which a sample is in the labeled set."""
    weight: torch.Tensor
    """Clean probability (n,) on the device."""
    rows: np.ndarray | None = None
    """Positions (n,) of the samples in the training set; None: all of them."""
    ensemble: EnsemblePredictions | None = None
    """Predictions of all networks for all samples; None: each network divides different ones."""


def clean_mixture(m: DivideMix, losses: np.ndarray, support: np.ndarray, seed: int) -> Mixture:
    """Return the clean probabilities of the samples.

    Args:
        m: fields `division`, `mixture` and `monotone_posterior`.
        losses: (n,).
        support: the neighbours' support of each label, (n,); unused with `division: loss`.
        seed: seed of the mixture of both, with `division: both`.
    """
    if m.division == "embedding":
        return Mixture(support, (), (), ())
    if m.division == "both":
        return fit_plane(np.stack([losses, 1 - support], 1), seed)
    if m.mixture == "bmm":
        # The module imports scipy.special, and few trials need it.
        from trainable.noisy_labels.beta_mixture import fit_beta_mixture

        mixture = fit_beta_mixture(losses)
    else:
        mixture = fit_mixture(losses)
    if m.monotone_posterior:
        return replace(mixture, clean_probability=monotone(mixture.clean_probability, losses))
    return mixture


def divide(
    m: DivideMix, clean_probability: np.ndarray, losses: np.ndarray, train: Samples
) -> tuple[np.ndarray, float]:
    """Return the labeled set, (n,) bool, and the threshold that was used."""
    labeled, threshold = split(clean_probability, m.p_threshold, m.p_inclusive)
    if m.class_balanced:
        labeled = balanced(labeled, clean_probability, losses, train.given.cpu().numpy())
    return labeled, threshold


def agree(m: DivideMix, divisions: Sequence[Division], given: torch.Tensor) -> dict[str, float]:
    """Restrict the labeled sets to samples on which both networks agree (`agreement`).

    A labeled set that would become empty is not changed.

    Returns:
        The share of samples with agreement per network, for the epoch's row.
    """
    row: dict[str, float] = {}
    if m.agreement == "none":
        return row
    classes = [division.classes.cpu().numpy() for division in divisions]
    labels = given.cpu().numpy()
    for k, division in enumerate(divisions):
        probability = division.mixture.clean_probability
        kept = agreed(division.labeled, probability, classes, labels, m.agreement)
        if kept.any():
            division.labeled = kept
        row[f"division/agreed_fraction_net{k}"] = float(kept.mean())
    return row


def describe(m: DivideMix, divisions: Sequence[Division], train: Samples) -> dict[str, float]:
    """Return the quality of each network's division, with true labels where they are known."""
    clean = (train.given == train.true).cpu().numpy()
    row: dict[str, float] = {}
    for k, division in enumerate(divisions):
        if train.true_known:
            row.update(_against_truth(m, division, clean, k))
        row[f"division/labeled_fraction_net{k}"] = float(division.labeled.mean())
        row[f"division/threshold_net{k}"] = division.threshold
        row.update(_components(division.mixture, k))
    return row


def _against_truth(m: DivideMix, division: Division, clean: np.ndarray, k: int) -> dict[str, float]:
    """Return how well network k finds the clean samples.

    `clean` is (all training samples,) bool.
    """
    divided = clean if division.rows is None else clean[division.rows]
    measured = metrics.division(division.mixture.clean_probability, division.labeled, divided)
    row = {f"division/{name}_net{k}": value for name, value in measured.items()}
    if m.division != "loss":
        by_loss = metrics.auc(-division.losses, divided)
        if by_loss is not None:
            row[f"division/auc_loss_net{k}"] = by_loss
    return row


def _components(mixture: Mixture, k: int) -> dict[str, float]:
    """Return mean, sd and weight of network k's clean and noisy component; {}: no mixture."""
    row = {}
    parameters = {"mean": mixture.means, "sd": mixture.sds, "weight": mixture.weights}
    for name, pair in parameters.items():
        for side, value in zip(("clean", "noisy"), pair, strict=False):
            row[f"mixture/{name}_{side}_net{k}"] = value
    return row


def against_labels(divisions: Sequence[Division], train: Samples) -> dict[str, float]:
    """Return the networks' agreement and the ensemble's accuracy on the training samples, percent.

    Nothing if each network divided different samples.
    """
    predicted = divisions[0].ensemble
    if predicted is None:
        return {}
    row: dict[str, float] = {}
    if len(divisions) == 2:
        row["train/agreement"] = metrics.agreement(divisions[0].classes, divisions[1].classes)
    row["train/accuracy_given"] = metrics.agreement(predicted.ensemble_class, train.given)
    if train.true_known:
        row["train/accuracy_true"] = metrics.agreement(predicted.ensemble_class, train.true)
    return row
