"""What a report says, as plain data for scripts; docs/monitoring.md describes the keys."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.report.answers import answers
from analysis.report.cells import known
from analysis.report.opening import opening
from analysis.results.read import Results
from analysis.results.registration import read_registration
from analysis.stats.columns import DIFFERENCE, TRUE_DIFFERENCE

NUMBERS = ("mean", "sd", *DIFFERENCE, "true_accuracy", *TRUE_DIFFERENCE)
"""Columns of the comparison of arms that are copied; null where a number does not exist."""


def as_data(results: Results, files: list[Path]) -> dict[str, Any]:
    """Return the question, the answers and the comparison of arms.

    Args:
        results: the results of a study.
        files: what its report has written, the page first.
    """
    study = results.begun
    answered = answers(study)
    opened = opening(
        study, answered.table, read_registration(study.root), answered.notes, answered.caution
    )
    return {
        "results": str(study.root),
        "study": study.study,
        "measure": study.measure.name,
        "margin": study.margin,
        "done": len(results.done),
        "trials": len(results.trials),
        "asked": opened.asked,
        "answers": opened.answers,
        "notes": answered.notes,
        "arms": [_arm(row) for row in answered.table.to_dict("records")],
        "files": [str(file) for file in files],
    }


def _arm(row: Mapping[Any, Any]) -> dict[str, Any]:
    """Return a row of the comparison of arms."""
    found: dict[str, Any] = {
        "setting": row["setting"] or None,
        "arm": row["arm"],
        "family": row["family"],
        "n": int(row["n"]),
        "verdict": row["verdict"] or None,
    }
    for name in NUMBERS:
        value = row.get(name)
        found[name] = None
        if value is not None and known(value) and abs(value) != float("inf"):
            found[name] = float(value)
    return found
