"""A network's judgement of the training samples: clean probability, division, and its quality."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from trainable.config.dividemix import DivideMix
from trainable.data.samples import Samples
from trainable.engine import metrics
from trainable.noisy_labels.beta_mixture import fit_beta_mixture
from trainable.noisy_labels.gaussian_mixture import Mixture, fit_mixture, monotone
from trainable.noisy_labels.sample_selection import agreed, balanced, split


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


def all_judged(verdicts: Sequence[Verdict]) -> bool:
    """Whether every network judged all samples; if not, each judged different ones."""
    return all(verdict.rows is None for verdict in verdicts)


def clean_mixture(m: DivideMix, losses: np.ndarray, support: np.ndarray, seed: int) -> Mixture:
    """Clean probabilities of the samples.

    Args:
        m: which evidence counts, and which mixture is fitted.
        losses: (n,).
        support: the neighbours' support of each label (n,); without use if `division` is the loss.
        seed: for the Gaussian mixture.
    """
    if m.division == "embedding":
        return Mixture(support, (), (), ())
    if m.division == "both":
        return fit_mixture(np.stack([losses, 1 - support], 1), seed)
    if m.mixture == "bmm":
        mixture = fit_beta_mixture(losses)
    else:
        mixture = fit_mixture(losses, seed)
    if m.monotone_posterior:
        return replace(mixture, clean_probability=monotone(mixture.clean_probability, losses))
    return mixture


def divide(
    m: DivideMix, clean_probability: np.ndarray, losses: np.ndarray, train: Samples
) -> tuple[np.ndarray, float]:
    """Which samples are labeled (n,) bool, and the threshold that was used."""
    labeled, threshold = split(clean_probability, m.p_threshold, m.p_inclusive)
    if m.class_balanced:
        labeled = balanced(labeled, clean_probability, losses, train.given.cpu().numpy())
    return labeled, threshold


def agree(m: DivideMix, verdicts: Sequence[Verdict], given: torch.Tensor) -> dict[str, float]:
    """Restrict every division to what both networks agree on.

    A division of which nothing would be left stays as it was. Returns the share of samples that
    were agreed on, for the epoch's row.
    """
    row: dict[str, float] = {}
    if m.agreement == "none":
        return row
    classes = [verdict.logits.argmax(1).cpu().numpy() for verdict in verdicts]
    labels = given.cpu().numpy()
    for k, verdict in enumerate(verdicts):
        probability = verdict.mixture.clean_probability
        kept = agreed(verdict.labeled, probability, classes, labels, m.agreement)
        if kept.any():
            verdict.labeled = kept
        row[f"division/agreed_fraction_net{k}"] = float(kept.mean())
    return row


def describe(m: DivideMix, verdicts: Sequence[Verdict], train: Samples) -> dict[str, float]:
    """Quality of each network's division, against the truth where it is known."""
    clean = (train.given == train.true).cpu().numpy()
    row: dict[str, float] = {}
    for k, verdict in enumerate(verdicts):
        if train.true_known:
            row.update(_against_truth(m, verdict, clean, k))
        row[f"division/labeled_fraction_net{k}"] = float(verdict.labeled.mean())
        row[f"division/threshold_net{k}"] = verdict.threshold
        row.update(_components(verdict.mixture, k))
    return row


def _against_truth(m: DivideMix, verdict: Verdict, clean: np.ndarray, k: int) -> dict[str, float]:
    """How well network k finds the samples that are `clean` (all training samples,) bool."""
    judged = clean if verdict.rows is None else clean[verdict.rows]
    measured = metrics.division(verdict.mixture.clean_probability, verdict.labeled, judged)
    row = {f"division/{name}_net{k}": value for name, value in measured.items()}
    if m.division != "loss":
        by_loss = metrics.auc(-verdict.losses, judged)
        if by_loss is not None:
            row[f"division/auc_loss_net{k}"] = by_loss
    return row


def _components(mixture: Mixture, k: int) -> dict[str, float]:
    """Mean, sd and weight of network k's clean and noisy component; nothing without a mixture."""
    row = {}
    parameters = {"mean": mixture.means, "sd": mixture.sds, "weight": mixture.weights}
    for name, pair in parameters.items():
        for side, value in zip(("clean", "noisy"), pair, strict=False):
            row[f"mixture/{name}_{side}_net{k}"] = value
    return row


def opinion(
    verdicts: Sequence[Verdict], train: Samples, ensemble: torch.Tensor
) -> dict[str, float]:
    """How far the networks agree on the training samples, and how right the ensemble is.

    `ensemble` are its scores (n, classes).
    """
    row: dict[str, float] = {}
    if len(verdicts) == 2:
        first = verdicts[0].logits.argmax(1)
        second = verdicts[1].logits.argmax(1)
        row["train/agreement"] = 100 * (first == second).double().mean().item()
    row["train/accuracy_given"] = metrics.accuracy(ensemble, train.given)
    if train.true_known:
        row["train/accuracy_true"] = metrics.accuracy(ensemble, train.true)
    return row
