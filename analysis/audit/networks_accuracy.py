"""On what share of the samples networks are right, by noisy labels alone.

With C classes, a share r of wrong labels and errors of labels and networks that fall on each other
at random, networks of accuracy a agree with the share

    A = a (1 − r) + (1 − a) r / (C − 1)

of the given labels. A is counted, a and r are unknown. There are two estimates of r:

- The share of labels that the division calls wrong. It also calls labels wrong that are right, of
  samples that are hard for these networks. Then r is too large, and so is a.
- The share of labels with which the networks disagree where they are surest. Of each class that
  they predict, these are the half of the samples with the largest probability. Few of these
  predictions are wrong: they take the place of the anchor points of Patrini et al. (CVPR 2017,
  arXiv 1609.03683), of which the class is certain. Networks are less sure of samples whose wrong
  labels they were trained on. Then r is too small, and so is a.

The smaller a counts. It is a heuristic and no bound: where wrong labels follow a rule that networks
learn, A says nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.audit.label_suggestions import Table

HELD_OUT = 1000
"""Least number of validation labels at which they are used instead of the training labels."""


@dataclass(frozen=True)
class NetworksAccuracy:
    """Estimates of the networks' accuracy; NaN if there are none. All are shares, 0 to 1.

    Attributes:
        agreement: of given labels that the ensembles predict.
        called_wrong: of labels that the division calls wrong.
        surely_wrong: of labels with which the networks disagree where they are surest.
        by_division: accuracy if `called_wrong` are wrong.
        by_surest: accuracy if `surely_wrong` are wrong.
        error: standard error of `by_surest`.
    """

    agreement: float = np.nan
    called_wrong: float = np.nan
    surely_wrong: float = np.nan
    by_division: float = np.nan
    by_surest: float = np.nan
    error: float = np.nan

    @property
    def least(self) -> float:
        """The smaller estimate."""
        return float(np.minimum(self.by_division, self.by_surest))

    def reaches(self, accuracy: float) -> bool:
        """Return whether both estimates reach an accuracy."""
        return self.least >= accuracy

    def may_reach(self, accuracy: float) -> bool:
        """Return whether the division's estimate reaches an accuracy, and nothing contradicts it.

        The surest predictions contradict it if their estimate is less by more than its standard
        error.
        """
        return self.by_division >= accuracy and self.by_surest + self.error >= accuracy


@dataclass(frozen=True)
class _Predictions:
    """Predictions for n samples: given and predicted classes, probabilities of the latter."""

    given: np.ndarray
    predicted: np.ndarray
    probability: np.ndarray

    @property
    def agreement(self) -> float:
        """Share of given labels that are predicted."""
        return float((self.given == self.predicted).mean())


def networks_accuracy(
    tables: Sequence[Table], called_wrong: float | None, classes: int
) -> NetworksAccuracy:
    """Estimate the accuracy of trials' last ensembles.

    At least `HELD_OUT` validation labels are used instead of the training labels. Of fewer, their
    agreement is used if it is less than that of the training labels by more than two standard
    errors, as then the networks have memorised these.

    Args:
        tables: sample tables of trials with the same given labels.
        called_wrong: share of labels that the division calls wrong, 0 to 1; None: there is none.
        classes: number of classes.
    """
    used = _predictions(tables, "training")
    agreement = used.agreement
    held_out = _predictions(tables, "validation")
    if len(held_out.given) >= HELD_OUT:
        used = held_out
        agreement = held_out.agreement
    elif len(held_out.given):
        error = np.sqrt(agreement * (1 - agreement) / len(held_out.given))
        if agreement - held_out.agreement > 2 * error:
            agreement = held_out.agreement
    if called_wrong is None:
        return NetworksAccuracy(agreement)
    surely_wrong, counted = _surely_wrong(used, classes)
    spread = np.sqrt(surely_wrong * (1 - surely_wrong) / counted)
    by_surest = solved_accuracy(agreement, surely_wrong, classes)
    return NetworksAccuracy(
        agreement=agreement,
        called_wrong=called_wrong,
        surely_wrong=surely_wrong,
        by_division=solved_accuracy(agreement, called_wrong, classes),
        by_surest=by_surest,
        error=abs(solved_accuracy(agreement, surely_wrong - spread, classes) - by_surest),
    )


def solved_accuracy(agreement: float, wrong: float, classes: int) -> float:
    """Return the accuracy a, 0 to 1, from two shares of the given labels.

    Args:
        agreement: share with which the networks agree, 0 to 1.
        wrong: share that is wrong, 0 to 1, at random.
        classes: number of classes.

    Returns:
        NaN where labels are as good as random, so that agreement says nothing.
    """
    by_chance = wrong / (classes - 1)
    slope = 1 - wrong - by_chance
    if slope <= 0:
        return np.nan
    return min(max((agreement - by_chance) / slope, 0.0), 1.0)


def _surely_wrong(found: _Predictions, classes: int) -> tuple[float, int]:
    """Return the share of labels that differ from the surest predictions, and how many these are.

    The share is the mean over predicted classes, weighted by their samples: labels of some classes
    may be wrong more often than those of others.
    """
    differing = 0.0
    counted = 0
    for label in range(classes):
        rows = np.flatnonzero(found.predicted == label)
        if len(rows) == 0:
            continue
        order = np.argsort(-found.probability[rows], kind="stable")
        surest = rows[order[: (len(rows) + 1) // 2]]
        differing += len(rows) * float((found.given[surest] != label).mean())
        counted += len(surest)
    return differing / len(found.given), counted


def _predictions(tables: Sequence[Table], part: str) -> _Predictions:
    """Return the last ensembles' predictions for the `training` or `validation` labels."""
    given = [np.empty(0, np.int64)]
    predicted = [np.empty(0, np.int64)]
    probability = [np.empty(0)]
    prefix = "ensemble" if part == "training" else "validation"
    for table in tables:
        if {f"{prefix}_class", f"{prefix}_probability"} <= table.keys():
            held_out = table["split"] != 0
            rows = held_out if part == "validation" else ~held_out
            given.append(table["given"][rows].astype(np.int64))
            predicted.append(table[f"{prefix}_class"][-1].astype(np.int64))
            probability.append(table[f"{prefix}_probability"][-1].astype(float))
    return _Predictions(
        np.concatenate(given), np.concatenate(predicted), np.concatenate(probability)
    )
