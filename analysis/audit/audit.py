"""Label audit of a completed study: one ranking for each set of given labels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.audit.cross_fitted import has_folds, joined_folds
from analysis.audit.label_suggestions import Table, given_labels, judged, same_labels
from analysis.audit.neighbors import Load, Neighbors
from analysis.audit.out_of_sample import out_of_sample
from analysis.audit.witnesses import Judgement, PlainTraining, judge
from analysis.results.measure import TRUSTED, Measure
from analysis.results.read import Results, read_results
from analysis.results.selected_trials import select
from trainable.storage.names import LAST10


class NoAudit(Exception):
    """The selected trials cannot be audited; the message has the reason."""


@dataclass(frozen=True)
class Audited:
    """One set of given labels.

    Attributes:
        seeds: seeds of the trials that were trained on these labels.
        trial: the first of them, a row of `Results.trials`.
        given: label by row of the data set, for all samples in training or validation sets.
        ranked: the ranking of `analysis.audit.witnesses.judge`.
        judgement: what it is worth.
        classes: number of classes.
        accuracies: `test/accuracy_last10` of the trials, percent.
        measure: what that measures.
        held_out: of a cross-fitted study, the table of `analysis.audit.out_of_sample`; else None.
    """

    seeds: list[int]
    trial: dict[str, Any]
    given: pd.Series
    ranked: pd.DataFrame
    judgement: Judgement
    classes: int
    accuracies: tuple[float, ...] = ()
    measure: Measure = TRUSTED
    held_out: pd.DataFrame | None = None

    @property
    def name(self) -> str:
        """`seeds 0, 1, 2`."""
        listed = ", ".join(map(str, self.seeds))
        if len(self.seeds) > 1:
            return f"seeds {listed}"
        return f"seed {listed}"

    @property
    def unjudged(self) -> int:
        """Number of samples that are in the validation set of every trial."""
        return len(self.given) - len(self.ranked)


FeaturesOf = Callable[[Mapping[str, Any]], Load | None]
"""Returns the features of the training samples of a trial's data set; None: it has none."""


def audit(
    root: Path,
    setting: str | None = None,
    arm: str = "baseline",
    seed: int | None = None,
    features_of: FeaturesOf | None = None,
) -> list[Audited]:
    """Rank the training samples of an arm's completed trials.

    Trials with the same given labels share one ranking; so do the folds of a cross-fitted study,
    where its settings are the folds and none is selected. Completed trials of plain cross-entropy
    with these labels are witnesses, too; so are the neighbours of a sample, where `features_of`
    finds features.

    Raises:
        NoStudy: `root` contains no study results.
        NoTrial: the study lacks the setting, arm or seed.
        NoAudit: the selected trials judge no labels.
    """
    study = read_results(root)
    if setting is None:
        study = joined_folds(study)
    trials = _chosen(study, setting, arm, seed)
    tables = [study.samples(trial) for trial in trials]
    for trial, table in zip(trials, tables, strict=True):
        if not judged(table):
            raise NoAudit(
                f"{root / trial['folder']}/samples.npz has neither the clean probability of all "
                "training samples nor their margins: the method records none (mixup, elr_plus, "
                "ssr_plus), the trial was made by an older version, or the file is damaged"
            )
    plain = _plain_trainings(study, trials[0])
    folds = has_folds(study, trials[0])
    load = features_of(trials[0]) if features_of else None
    neighbors = None if load is None else Neighbors(load)
    classes = 1 + max(_greatest_class(table) for table in tables)
    found = []
    for places in same_labels(tables):
        first = places[0]
        of_labels = [tables[place] for place in places]
        given = given_labels(tables[first])
        arm = trials[first]["arm"]
        votes = None if neighbors is None else partial(neighbors.margins, given, classes)
        ranked, judgement = judge(of_labels, classes, arm, _with_labels(plain, given), votes)
        found.append(
            Audited(
                seeds=list(dict.fromkeys(trials[place]["seed"] for place in places)),
                trial=trials[first],
                given=given,
                ranked=ranked,
                judgement=judgement,
                classes=classes,
                accuracies=tuple(trials[place][LAST10] for place in places),
                measure=study.measure,
                held_out=out_of_sample(of_labels) if folds else None,
            )
        )
    return found


def _plain_trainings(study: Results, audited: dict[str, Any]) -> PlainTraining | None:
    """Return the first other arm of plain cross-entropy, with its done trials of the setting.

    Joined folds have no setting: the trials of all folds are taken.
    """
    others = study.done[study.done["arm"] != audited["arm"]]
    if audited["setting"] in study.settings:
        others = others[others["setting"] == audited["setting"]]
    for arm, trials in others.groupby("arm", sort=False):
        records = trials.to_dict("records")
        method = study.config(records[0]).get("method", {})
        if method.get("name") == "cross_entropy":
            tables = [study.samples(trial) for trial in records]
            return PlainTraining(str(arm), [table for table in tables if "label_margin" in table])
    return None


def _with_labels(plain: PlainTraining | None, given: pd.Series) -> PlainTraining | None:
    """Return the trials with these given labels; None: there are none."""
    if plain is None:
        return None
    same = [table for table in plain.tables if given_labels(table).equals(given)]
    if not same:
        return None
    return PlainTraining(plain.arm, same)


def _greatest_class(table: Table) -> int:
    """Return the greatest class of a sample table: given, true or predicted."""
    return max(
        int(table["given"].max()), int(table["true"].max()), int(table["ensemble_class"].max())
    )


def _chosen(
    study: Results, setting: str | None, arm: str, seed: int | None
) -> list[dict[str, Any]]:
    """Return the selected completed trials. Raises NoTrial, NoAudit."""
    trials = study.trials.iloc[[place.row for place in select(study.places, setting, arm, seed)]]
    done = trials[trials["state"] == "done"].to_dict("records")
    if not done:
        raise NoAudit(f"none of the {len(trials)} selected trials of {study.root} is done")
    return [{str(name): value for name, value in trial.items()} for trial in done]
