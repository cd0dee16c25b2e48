"""What a study says of its arms, with regard to what its test labels are worth.

With trusted labels the comparison says all. With unchecked ones it has no verdicts, and these come
from labels that were checked, or from the declared structure of the noise, or not at all. Report,
terminal, `judge` and notebooks ask here.
"""

import shlex
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from analysis.report.evidence import Evidence, evidence_of
from analysis.results.measure import ON_ACCURACY, WITHHELD
from analysis.results.read import Results
from analysis.results.study_plan import BASELINE
from analysis.stats.checked_labels import CheckedLabels
from analysis.stats.columns import TRUE_ACCURACY, TRUE_DIFFERENCE
from analysis.stats.comparison import compare, counted_pairs
from analysis.stats.true_accuracy import (
    family_confidence,
    sensitivity_of,
    true_accuracy,
    true_difference,
    verdict_of,
)

OF_TRUTH = ("judged_by", *TRUE_ACCURACY, *TRUE_DIFFERENCE, "wrong_for_zero", "wrong_for_interval")
"""Columns that are added to a comparison by unchecked labels."""


NO_EFFECT = (
    "data.test_noise has no effect: the test labels are trusted. If they are not, write "
    "`test_labels: unchecked`"
)


ALL_CHECKED = (
    "all test labels are checked: accuracies and verdicts follow from the labels that were found. "
    "Agreement is with the labels before the check"
)


@dataclass(frozen=True)
class Answers:
    """The comparison of all arms, and what its verdicts rest on.

    Attributes:
        table: that of `compare`. With unchecked test labels it has further columns: judged_by
            (`checked labels`, `declared noise`; "": by nothing), true_accuracy with the ends of its
            95 % interval, true_difference, true_low, true_high (points of accuracy, the interval
            holds for all arms of the family together), wrong_for_zero, wrong_for_interval (if the
            verdict is withheld: percent of the test images of which wrong labels could make the
            difference 0, and its interval hold 0).
        notes: sentences on what allows verdicts, or why there are none.
        checked: number of test labels that were checked, of the setting with most.
        caution: what must be known of the test labels before any figure is read; None: nothing.
    """

    table: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    checked: int = 0
    caution: str | None = None

    @property
    def of_truth(self) -> pd.DataFrame:
        """The rows of arms whose accuracy is known; empty if all test labels are trusted."""
        if "judged_by" not in self.table:
            return self.table.iloc[:0]
        return self.table[self.table["judged_by"] != ""]


def answers(results: Results) -> Answers:
    """Compare all arms by the last-10 accuracy, and judge them as far as the test labels allow."""
    table = compare(results)
    if results.measure.decides:
        return Answers(table, [NO_EFFECT] if results.test_noise else [])
    table = table.assign(**dict.fromkeys(OF_TRUTH, np.nan)).assign(judged_by="")
    notes: list[str] = []
    checked = 0
    kept = False
    all_checked = True
    for setting in table["setting"].unique():
        evidence = evidence_of(results, str(setting))
        prefix = f"{setting}: " if setting else ""
        notes += [prefix + note for note in evidence.notes]
        if isinstance(evidence.labels, CheckedLabels):
            checked = max(checked, len(evidence.labels.rows))
        all_checked = all_checked and evidence.all_checked
        if evidence.predictions is not None:
            kept = True
            here = table.index[table["setting"] == setting]
            _add_truth(results, table, list(here), evidence)
    withheld = table["verdict"] == WITHHELD
    if (withheld & (table["judged_by"] == "")).any() and kept:
        notes.append(_how_to_check(results))
    caution = ALL_CHECKED if all_checked else results.measure.caution
    return Answers(table, notes, checked, caution)


def _how_to_check(results: Results) -> str:
    folder = shlex.quote(str(results.root))
    return (
        "verdicts are withheld. To get them, check the labels of some test images: "
        f"python -m orchestrator audit {folder} --split test --review"
    )


# --- the arms ---


def _add_truth(results: Results, table: pd.DataFrame, here: list[Any], evidence: Evidence) -> None:
    """Add what the evidence says of the arms in the rows `here` of a setting."""
    arms = table.loc[here]
    for place, row in arms.iterrows():
        line = _of_arm(results, row, evidence)
        if row["paired"] and row["pairs"] > 0:
            family = arms[arms["paired"] & arms["begun"] & (arms["family"] == row["family"])]
            line |= _of_difference(results, row, evidence, len(family))
        for name, value in line.items():
            table.at[place, name] = value


def _of_arm(results: Results, row: "pd.Series[Any]", evidence: Evidence) -> dict[str, Any]:
    """Return an arm's accuracy, as far as it is known."""
    if evidence.predictions is None or evidence.labels is None:
        return {}
    planned = results.of_arm(row["setting"], row["arm"])
    seeds = planned.loc[planned["state"] == "done", "seed"].tolist()
    found = true_accuracy(evidence.predictions, evidence.labels, row["arm"], seeds)
    if found is None:
        return {}
    line: dict[str, Any] = {
        "true_accuracy": found.value,
        "true_accuracy_low": found.low,
        "true_accuracy_high": found.high,
    }
    if row["arm"] == BASELINE:
        line["judged_by"] = evidence.judged_by
    return line


def _of_difference(
    results: Results, row: "pd.Series[Any]", evidence: Evidence, arms: int
) -> dict[str, Any]:
    """Return an arm's difference to the baseline and its verdict, or how certain its sign is."""
    assert evidence.predictions is not None
    seeds = counted_pairs(results, row["setting"], row["arm"]).index.tolist()
    if evidence.labels is not None:
        confidence = family_confidence(arms)
        found = true_difference(
            evidence.predictions, evidence.labels, row["arm"], seeds, confidence
        )
        if found is not None:
            line: dict[str, Any] = {
                "judged_by": evidence.judged_by,
                "true_difference": found.value,
                "true_low": found.low,
                "true_high": found.high,
            }
            if evidence.decides:
                by_failures = "" if row["verdict"] in (*ON_ACCURACY, WITHHELD) else row["verdict"]
                line["verdict"] = verdict_of(found, results.margin, by_failures)
            return line
    overturned = sensitivity_of(evidence.predictions, row["arm"], seeds, row["low"], row["high"])
    if overturned is None:
        return {}
    return {"wrong_for_zero": overturned.sign, "wrong_for_interval": overturned.interval}


def as_judged(answered: Answers) -> tuple[pd.DataFrame, str | None]:
    """Return the table with the differences that the verdicts are about, and their unit.

    Where verdicts rest on checked labels or declared noise, these are differences of accuracy. The
    unit is None if it is what the study measures.
    """
    table = answered.table
    if answered.of_truth.empty:
        return table, None
    known = table["judged_by"] != ""
    judged = table.copy()
    for shown, true in (
        ("difference", "true_difference"),
        ("low", "true_low"),
        ("high", "true_high"),
    ):
        judged.loc[known, shown] = table.loc[known, true]
    judged.loc[~known, ["difference", "low", "high", "pairs"]] = np.nan
    by = " and ".join(dict.fromkeys(answered.of_truth["judged_by"]))
    return judged, f"last-10 test accuracy, by {by}"
