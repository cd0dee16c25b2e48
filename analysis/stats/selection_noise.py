"""Which trials of a search the noisy validation labels do not tell apart from the best one.

The score of a trial is its agreement with noisy labels of n validation images. Two trials of a seed
have the same images and labels, so that only the images matter on which one agrees and the other
does not. If these are a share D of all, and the difference is d, its standard error is
√((D − d²) / n), as in McNemar's test. A trial that is at most `ERRORS` of these behind the best one
is not told apart from it.

Under symmetric noise, differences of agreement are smaller than those of accuracy by a factor
(`unchecked_labels.symmetric_factor`), and keep their signs. Under noise that can be learned from
images they need not, and no number of labels helps: that is not part of these errors.
"""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from analysis.stats.unchecked_labels import symmetric_factor
from trainable.storage import names
from trainable.storage.trial_folder import TrialFolder, score

ERRORS = 2
"""Number of standard errors up to which trials are not told apart."""
VALIDATION = 1
"""Value of `split` of the validation samples in a table of samples."""


@dataclass(frozen=True)
class Scored:
    """A trial of a search that ran to full length.

    Attributes:
        trial: its name.
        score: mean agreement of the last epochs with the noisy validation labels, percent.
        agrees: for each seed, on which validation images (n,) the last epoch agrees.
        wrong: share of wrong validation labels, 0 to 1: that of the training labels, unless
            `data.clean_validation` is set; None: the trial does not know it.
        counted: whether this share is counted with true labels, and not estimated by the division.
        classes: number of classes.
    """

    trial: str
    score: float
    agrees: list[np.ndarray]
    wrong: float | None = None
    counted: bool = False
    classes: int = 2


@dataclass(frozen=True)
class Rank:
    """A trial's place behind the best one.

    Attributes:
        trial: its name.
        score: percent.
        behind: points behind the best trial.
        error: standard error of this difference by the draw of the validation images and labels.
    """

    trial: str
    score: float
    behind: float
    error: float

    @property
    def told_apart(self) -> bool:
        """Whether the difference is larger than the validation labels explain."""
        return self.behind > ERRORS * self.error


@dataclass(frozen=True)
class Ranks:
    """The trials of a search behind the best one, and what their scores are worth.

    Attributes:
        best: the trial with the best score.
        others: all others, the better first.
        images: number of validation images of a seed.
        seeds: number of seeds whose scores are averaged.
    """

    best: Scored
    others: list[Rank] = field(default_factory=list)
    images: int = 0
    seeds: int = 1

    @property
    def not_told_apart(self) -> list[Rank]:
        """Return the trials that may be as good as the best one."""
        return [rank for rank in self.others if not rank.told_apart]

    @property
    def needed(self) -> float:
        """Points by which the next trial would have to be behind to be told apart."""
        return ERRORS * self.others[0].error

    @property
    def factor(self) -> float | None:
        """By which differences of accuracy shrink, if labels are wrong at random; None: unknown."""
        if self.best.wrong is None:
            return None
        try:
            return symmetric_factor(self.best.wrong, self.best.classes)
        except ValueError:
            return None


def ranks(trials: Sequence[Scored]) -> Ranks | None:
    """Compare all trials with the best one; None: there are fewer than two."""
    if len(trials) < 2:
        return None
    ordered = sorted(trials, key=lambda each: -each.score)
    best = ordered[0]
    others = [
        Rank(each.trial, each.score, best.score - each.score, paired_error(best, each))
        for each in ordered[1:]
    ]
    return Ranks(best, others, max(map(len, best.agrees)), len(best.agrees))


def paired_error(first: Scored, second: Scored) -> float:
    """Return the standard error of the difference of two trials' scores, points.

    One image is added on which they differ, so that no sample gives an error of 0.
    """
    variances = []
    for one, other in zip(first.agrees, second.agrees, strict=True):
        images = len(one)
        differing = (np.count_nonzero(one != other) + 1) / images
        difference = one.mean() - other.mean()
        variances.append(max(differing - difference**2, 0) / images)
    return 100 * float(np.sqrt(np.sum(variances))) / len(variances)


# --- trials on disk ---


def read_ranks(folder: Path, seeds: Sequence[int]) -> Ranks | None:
    """Return the ranks of the trials in a search's folder.

    Args:
        folder: `runs`, or the folder of an arm in it.
        seeds: those of the search; the folder may have others, of the confirmation.

    Returns:
        None: fewer than two trials ran to full length, or their predictions were not kept.
    """
    found = [_read(path, seeds) for path in sorted(folder.glob("trial-*"))]
    scored = [each for each in found if each is not None]
    if scored:
        shape = [len(agrees) for agrees in scored[0].agrees]
        scored = [each for each in scored if [len(agrees) for agrees in each.agrees] == shape]
    return ranks(scored)


def _read(path: Path, seeds: Sequence[int]) -> Scored | None:
    """Return a trial; None: a seed has not ended, or has no predictions of validation images."""
    scores = []
    agrees = []
    classes = 2
    summary: dict[str, Any] = {}
    config: dict[str, Any] = {}
    for seed in seeds:
        folder = TrialFolder(path / f"seed={seed}")
        summary = folder.summary or {}
        config = (folder.trial or {}).get("config") or {}
        value = score(folder.rows(), names.VALIDATION_ACCURACY)
        table = _samples(folder.path)
        if not summary or value is None or not table:
            return None
        given = table["given"][table["split"] == VALIDATION]
        predicted = table["validation_class"]
        if not len(given) or predicted.shape[1:] != given.shape or not len(predicted):
            return None
        scores.append(value)
        agrees.append(predicted[-1] == given)
        classes = max(classes, 1 + int(table["given"].max()))
    wrong = summary.get("noise_rate")
    if config.get("data", {}).get("clean_validation"):
        wrong = 0.0
    estimate = wrong if wrong is not None else _estimated(summary)
    return Scored(path.name, float(np.mean(scores)), agrees, estimate, wrong is not None, classes)


def _estimated(summary: dict[str, Any]) -> float | None:
    """Return the share of the training labels outside the labeled sets, the networks' mean."""
    fractions: list[float] = []
    while (name := names.LABELED_FRACTION.format(k=len(fractions))) in summary:
        fractions.append(float(summary[name]))
    return 1 - float(np.mean(fractions)) if fractions else None


def _samples(folder: Path) -> dict[str, np.ndarray]:
    """Return the arrays of a trial's table of samples that are needed; {}: one is missing."""
    try:
        content = io.BytesIO((folder / names.SAMPLES).read_bytes())
        with np.load(content, allow_pickle=False) as table:
            return {name: table[name] for name in ("split", "given", "validation_class")}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return {}
