"""Which witness orders the labels, and what may be said of them, without a true label.

Every trial has two witnesses. The *division* of DivideMix with the ensemble's odds
(`analysis.audit.label_suggestions.rank`) orders best where the networks have learned the classes.
The *margin* of the given label, its mean over all epochs (Pleiss et al. 2020, arXiv 2001.10528),
orders best where they have not, and better still together with the margins of plain cross-entropy,
if the study has such an arm with the same labels. Where the data are features, the votes of a
sample's neighbours (`analysis.audit.neighbors`) are added to the margins: seed 0 of
benchmarks/audit_embeddings.py chose that.

Which case it is follows from the networks' accuracy (`analysis.audit.networks_accuracy`). The
limits were chosen on seeds 0 and 10 of the cells of benchmarks/audit_cells.py; docs/audit.md shows
other seeds.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.audit.confidence import confidence_factor, scaled
from analysis.audit.label_suggestions import Table, divided, rank
from analysis.audit.networks_accuracy import NetworksAccuracy, networks_accuracy

COUNTS = 0.93
"""Least estimated accuracy at which the division orders, and probabilities are given."""
SUGGESTIONS = 2 / 3
"""Least estimated accuracy at which other labels are suggested."""
LEAST_SHARE = 0.05
"""A division has failed if agreement with the validation labels fell by more than this, 0 to 1."""


@dataclass(frozen=True)
class PlainTraining:
    """Trials of plain cross-entropy with the same given labels: their arm and sample tables."""

    arm: str
    tables: Sequence[Table]


@dataclass(frozen=True)
class Judgement:
    """What an audit knows of its own networks, and what follows from it.

    Attributes:
        networks: on what share of the images the networks are right, as estimated.
        failed: whether the division destroyed what the warm-up had learned.
        outdone: whether plain training agrees with more of the validation labels.
        witnesses: what orders the labels: `division`, or `margins` with the arms they are of.
        samples: number of labels.
        doubtful: given classes whose labels the networks mostly call another class. Either most of
            these labels are wrong, or the networks have taken one class for another.
        doubtful_samples: number of labels of these classes.
        neighbors: whether the votes of nearest neighbours order the labels, too.
    """

    networks: NetworksAccuracy
    failed: bool
    outdone: bool
    samples: int
    witnesses: tuple[str, ...]
    doubtful: tuple[int, ...] = ()
    doubtful_samples: int = 0
    neighbors: bool = False

    @property
    def accuracy(self) -> float:
        """Estimated share of the images on which the networks are right, 0 to 1; NaN: unknown."""
        return self.networks.least

    @property
    def counts(self) -> bool:
        """Whether the number of wrong labels and the probability of each can be given."""
        return self.networks.reaches(COUNTS) and not self.failed and not self.outdone

    @property
    def division_orders(self) -> bool:
        """Whether the division orders the labels.

        It does not need as much support as numbers: a wrong number misleads, and a list that the
        other witness would order a little better does not.
        """
        return self.networks.may_reach(COUNTS) and not self.failed and not self.outdone

    @property
    def suggests(self) -> bool:
        """Whether other labels can be suggested."""
        return self.accuracy >= SUGGESTIONS and not self.failed and not self.outdone

    @property
    def share_wrong(self) -> tuple[float, float]:
        """Range of the share of wrong labels, 0 to 1.

        The networks disagree with a share of the labels, and are wrong about a share of the images:
        the share of wrong labels differs from the former by the latter at most. Two standard errors
        of the agreement are added, and the labels of doubtful classes.
        """
        agreement = self.networks.agreement
        disagreement = 1 - agreement
        error = np.sqrt(agreement * disagreement / self.samples)
        doubt = 1 - self.accuracy + 2 * float(error) + self.doubtful_samples / self.samples
        return max(disagreement - doubt, 0.0), min(disagreement + doubt, 1.0)


def judge(
    tables: Sequence[Table],
    classes: int,
    arm: str,
    plain: PlainTraining | None = None,
    votes: Callable[[], pd.Series] | None = None,
) -> tuple[pd.DataFrame, Judgement]:
    """Rank all training samples by the witnesses that suit the networks.

    Args:
        tables: sample tables of trials with the same given labels.
        classes: number of classes.
        arm: the arm of these trials.
        plain: trials of plain training with the same labels.
        votes: returns the margins of neighbours' votes by row of the data set, as
            `analysis.audit.neighbors.Neighbors` does, and is called only if they order the labels;
            None: the data set has no features.

    Returns:
        The ranking, as of `label_suggestions.rank`, and what it is worth. Where nothing can be
        suggested, `suggested` is the given class. Where no probability can be given, `wrong` is a
        suspicion and `confidence` is NaN.
    """
    ranked = rank(tables, classes)
    judgement = _assess(tables, ranked, classes, plain)
    if judgement.division_orders:
        return _supported(tables, ranked, judgement, classes), judgement
    margins = {arm: tables}
    if plain is not None:
        margins[plain.arm] = plain.tables
        if judgement.failed:
            del margins[arm]
    index = ranked["index"].to_numpy()
    found = {name: _margins(of_arm, index) for name, of_arm in margins.items()}
    known = {name: values for name, values in found.items() if values is not None}
    scores = [_standardised(values) for values in known.values()]
    if votes is not None:
        scores.append(_standardised(votes().reindex(index).to_numpy()))
    if scores:
        judgement = replace(judgement, witnesses=("margins", *known), neighbors=votes is not None)
        ranked = _ordered(ranked, -np.sum(scores, axis=0))
    return _supported(tables, ranked, judgement, classes), judgement


def _assess(
    tables: Sequence[Table], ranked: pd.DataFrame, classes: int, plain: PlainTraining | None
) -> Judgement:
    """Return what the networks are worth; without a division nothing is known of their accuracy."""
    by_division = all(divided(table) for table in tables)
    called_wrong = float(ranked["wrong"].mean()) if by_division else None
    doubtful = doubtful_classes(tables, classes)
    return Judgement(
        networks=networks_accuracy(tables, called_wrong, classes),
        failed=by_division and division_failed(tables),
        outdone=by_division and plain is not None and outdone(tables, plain.tables),
        samples=len(ranked),
        witnesses=("division",),
        doubtful=doubtful,
        doubtful_samples=int(ranked["given"].isin(doubtful).sum()),
    )


def _supported(
    tables: Sequence[Table], ranked: pd.DataFrame, judgement: Judgement, classes: int
) -> pd.DataFrame:
    """Return a ranking without the suggestions and confidences that cannot be supported."""
    found = ranked.copy()
    if judgement.counts:
        factor = confidence_factor(tables, float(ranked["wrong"].mean()), classes)
        found["confidence"] = _calibrated(ranked, factor)
    else:
        found["confidence"] = np.nan
    doubtful = ranked["given"].isin(judgement.doubtful)
    found.loc[doubtful, "confidence"] = np.nan
    refused = doubtful if judgement.suggests else slice(None)
    found.loc[refused, "suggested"] = ranked.loc[refused, "given"]
    return found


def _calibrated(ranked: pd.DataFrame, factor: float) -> pd.Series:
    """Return the confidences with the share of the suggested class among all others calibrated."""
    share = ranked["confidence"] / ranked["wrong"].clip(lower=1e-12)
    calibrated: pd.Series = ranked["wrong"] * scaled(share.to_numpy(), factor)
    agrees = ranked["suggested"] == ranked["given"]
    calibrated[agrees] = ranked.loc[agrees, "confidence"]
    return calibrated


def doubtful_classes(tables: Sequence[Table], classes: int) -> tuple[int, ...]:
    """Return the given classes whose samples the last ensembles mostly put into another class."""
    called = np.zeros((classes, classes))
    for table in tables:
        given = table["given"][table["split"] == 0]
        np.add.at(called, (given, table["ensemble_class"][-1]), 1)
    own = called.diagonal()
    return tuple(np.flatnonzero((called > own[:, None]).any(axis=1)).tolist())


def division_failed(tables: Sequence[Table]) -> bool:
    """Return whether networks agree less with validation labels than right after the warm-up."""
    pairs = []
    for table in tables:
        if "validation_class" in table and len(table["epochs"]) > 1:
            agrees = table["validation_class"] == table["given"][table["split"] == 1]
            pairs.append((agrees[0], agrees[-1]))
    return _fell(pairs)


def outdone(tables: Sequence[Table], plain: Sequence[Table]) -> bool:
    """Return whether networks agree less with validation labels than those of plain training.

    Trials are compared if they have the same validation samples.
    """
    pairs = []
    for table in tables:
        if "validation_class" not in table:
            continue
        held_out = table["split"] == 1
        given = table["given"][held_out]
        for other in plain:
            held_out_too = other["source_index"][other["split"] == 1]
            same = np.array_equal(held_out_too, table["source_index"][held_out])
            if same and "validation_class" in other:
                agrees = table["validation_class"][-1] == given
                pairs.append((other["validation_class"][-1] == given, agrees))
    return _fell(pairs)


def _fell(pairs: Sequence[tuple[np.ndarray, np.ndarray]]) -> bool:
    """Return whether agreement fell, from pairs of (m,) bool before and after.

    By more than two standard errors of a sign test, and by more than `LEAST_SHARE` of the samples.
    """
    lost = sum(int((before & ~after).sum()) for before, after in pairs)
    gained = sum(int((~before & after).sum()) for before, after in pairs)
    samples = sum(len(before) for before, _ in pairs)
    fall = lost - gained
    return bool(fall > 2 * np.sqrt(lost + gained) and fall > LEAST_SHARE * samples)


def _margins(tables: Sequence[Table], index: np.ndarray) -> np.ndarray | None:
    """Return the mean margin of the samples at `index` (n,) over trials and networks.

    None if the trials have none; NaN for samples that no trial trained on.
    """
    found = []
    for table in tables:
        if "label_margin" not in table:
            return None
        source = table["source_index"][table["split"] == 0]
        for margin in table["label_margin"][-1].astype(float):
            found.append(pd.Series(margin, source))
    mean = pd.concat(found).groupby(level=0).mean()
    margins: np.ndarray = mean.reindex(index).to_numpy()
    return margins


def _standardised(margins: np.ndarray) -> np.ndarray:
    """Return margins (n,) with mean 0 and standard deviation 1; unknown ones are 0."""
    spread = max(float(np.nanstd(margins)), 1e-12)
    found: np.ndarray = np.nan_to_num((margins - np.nanmean(margins)) / spread)
    return found


def _ordered(ranked: pd.DataFrame, suspicion: np.ndarray) -> pd.DataFrame:
    """Order samples by suspicion (n,); they get the division's `wrong` in this order."""
    wrong = ranked["wrong"].to_numpy()
    order = np.argsort(-suspicion, kind="stable")
    found = ranked.iloc[order].reset_index(drop=True)
    found["wrong"] = np.sort(wrong)[::-1]
    return found
