"""The table of accuracies by checked test labels, or by the declared noise of unchecked ones."""

from typing import Any

import pandas as pd

from analysis.report.answers import Answers
from analysis.report.blocks import Block
from analysis.report.cells import interval, known, number
from analysis.report.evidence import CHECKED
from analysis.report.tables import rows

NOTE = (
    "Accuracy and its difference to the baseline, for the mean over all seeds, next to agreement "
    "with the unchecked labels of all test images. The 95 % intervals of accuracies are of one "
    "arm. Those of differences hold for all arms of a family together (96 %, as failures have 1 % "
    "of the error), and verdicts follow from them. All have the error of the seeds and the labels."
)
OF_CHECKS = (
    " Unchecked labels narrow the intervals as far as they agree with the checked ones, and assume "
    "nothing of the noise. An image that shows no class for certain counts as wrong for every arm."
)


def block(answered: Answers, checked: int) -> Block | None:
    """Return the table; None if all test labels are trusted, or nothing is known of them.

    Args:
        answered: the comparison.
        checked: number of checked labels; 0: their noise is declared.
    """
    known_arms = answered.of_truth
    if known_arms.empty:
        return None
    title = f"With {checked} checked test labels"
    note = NOTE + OF_CHECKS
    if not (known_arms["judged_by"] == CHECKED).any():
        title = "With the declared noise of the test labels"
        note = NOTE
    return Block("true_accuracy", title, shown(known_arms), note)


def shown(table: pd.DataFrame) -> pd.DataFrame:
    """Return accuracies and differences as text, with the naive figures."""
    return rows(
        table,
        {
            "agreement %": lambda row: number(row["mean"]),
            "accuracy % [interval]": _accuracy,
            "difference of agreement": lambda row: interval(
                row["difference"], row["low"], row["high"]
            ),
            "difference of accuracy": lambda row: interval(
                row["true_difference"], row["true_low"], row["true_high"]
            ),
            "verdict": lambda row: row["verdict"],
        },
    )


def _accuracy(row: dict[Any, Any]) -> str:
    """Write an accuracy and its interval as `91.2 [89.0, 93.1]`."""
    text = number(row["true_accuracy"])
    if known(row["true_accuracy_low"]):
        text += f" [{row['true_accuracy_low']:.2f}, {row['true_accuracy_high']:.2f}]"
    return text
