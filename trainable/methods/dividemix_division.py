"""What a network thinks of the training samples: evidence, clean probability, division, and how good that is."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from trainable.config.dividemix import DivideMix
from trainable.data.dataset import Samples
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


def clean_mixture(m: DivideMix, losses: np.ndarray, support: np.ndarray, seed: int) -> Mixture:
    """Clean probabilities from losses (n,) and, unless `division` is the loss, the neighbours' support (n,)."""
    if m.division == "embedding":
        return Mixture(support, (), (), ())
    if m.division == "both":
        return fit_mixture(np.stack([losses, 1 - support], 1), seed)
    mixture = fit_beta_mixture(losses) if m.mixture == "bmm" else fit_mixture(losses, seed)
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
    """Restrict every division to what both networks agree on; where nothing would be left it stays as it was.

    Returns the share of samples that were agreed on, for the epoch's row.
    """
    row: dict[str, float] = {}
    if m.agreement != "none":
        classes = [v.logits.argmax(1).cpu().numpy() for v in verdicts]
        for k, v in enumerate(verdicts):
            kept = agreed(
                v.labeled, v.mixture.clean_probability, classes, given.cpu().numpy(), m.agreement
            )
            v.labeled = kept if kept.any() else v.labeled
            row[f"division/agreed_fraction_net{k}"] = float(kept.mean())
    return row


def describe(m: DivideMix, verdicts: Sequence[Verdict], train: Samples) -> dict[str, float]:
    """Quality of each network's division, against the truth where it is known."""
    clean = (train.given == train.true).cpu().numpy()
    row: dict[str, float] = {}
    for k, v in enumerate(verdicts):
        if train.true_known:
            judged = clean if v.rows is None else clean[v.rows]
            measured = metrics.division(v.mixture.clean_probability, v.labeled, judged)
            row |= {f"division/{name}_net{k}": value for name, value in measured.items()}
            if m.division != "loss" and (by_loss := metrics.auc(-v.losses, judged)) is not None:
                row[f"division/auc_loss_net{k}"] = by_loss
        row[f"division/labeled_fraction_net{k}"] = float(v.labeled.mean())
        row[f"division/threshold_net{k}"] = v.threshold
        for name, pair in (
            ("mean", v.mixture.means),
            ("sd", v.mixture.sds),
            ("weight", v.mixture.weights),
        ):
            row |= {
                f"mixture/{name}_{side}_net{k}": x
                for side, x in zip(("clean", "noisy"), pair, strict=False)
            }
    return row


def opinion(
    verdicts: Sequence[Verdict], train: Samples, ensemble: torch.Tensor
) -> dict[str, float]:
    """How far the networks agree on the training samples, and how right the ensemble's scores (n, classes) are."""
    row: dict[str, float] = {}
    if len(verdicts) == 2:
        same = (verdicts[0].logits.argmax(1) == verdicts[1].logits.argmax(1)).double().mean()
        row["train/agreement"] = 100 * same.item()
    row["train/accuracy_given"] = metrics.accuracy(ensemble, train.given)
    if train.true_known:
        row["train/accuracy_true"] = metrics.accuracy(ensemble, train.true)
    return row
