"""Tables of an audit.

Measures of every set of given labels, expected counts, transitions, calibration.
"""

from typing import Any

import numpy as np
import pandas as pd

from analysis.audit import calibration
from analysis.audit.audit import Audited
from analysis.audit.contact_sheet import Section
from analysis.audit.label_suggestions import expected
from analysis.audit.transition_matrix import transition


def figures(found: list[Audited]) -> pd.DataFrame:
    """Return one row per set of given labels; for several sets, the last row is their mean.

    Columns: seeds, trials, samples, accuracy (estimated, of the networks), expected number of label
    errors, least and most (its range). If the true labels are known, the measures of
    `analysis.audit.calibration.quality` are included. What an audit cannot support is NaN.
    """
    rows = []
    for audited in found:
        ranked = audited.ranked
        row: dict[str, Any] = {
            "seeds": " ".join(map(str, audited.seeds)),
            "trials": len(audited.seeds),
            "samples": len(ranked),
            "accuracy": audited.judgement.accuracy,
            "expected": np.nan,
            "least": np.nan,
            "most": np.nan,
        }
        if audited.judgement.counts:
            row["expected"], row["least"], row["most"] = counted(audited)
        if calibration.known(ranked):
            quality = calibration.quality(ranked)
            if not audited.judgement.counts:
                quality |= dict.fromkeys(OF_PROBABILITIES, np.nan)
            row.update(quality)
        rows.append(row)
    table = pd.DataFrame(rows)
    if len(table) > 1:
        mean = table.drop(columns="seeds").mean()
        last = pd.DataFrame([{"seeds": "mean", **mean}])
        table = pd.concat([table, last], ignore_index=True)
    return table.round(4)


OF_PROBABILITIES = (
    "expected",
    "count_error",
    "precision_half",
    "recall_half",
    "calibration_error",
    "suggestion_expected",
    "suggestion_right",
)
"""Measures that need probabilities and not only an order."""


def counted(audited: Audited) -> tuple[float, float, float]:
    """Return the expected number of label errors and its range, in labels."""
    samples = len(audited.ranked)
    expected_number = float(audited.ranked["wrong"].sum())
    least, most = audited.judgement.share_wrong
    return (
        expected_number,
        min(least * samples, expected_number),
        max(most * samples, expected_number),
    )


def tables(audited: Audited, names: list[str]) -> dict[str, pd.DataFrame]:
    """Return the tables of one set of given labels by name.

    They are `classes`, `transition` and, if the true labels are known, `calibration` and
    `suggestions`; none where the audit cannot give probabilities. The transition matrix has a row
    for each true class.

    Args:
        audited: the audit.
        names: (classes,) names of the classes.
    """
    if not audited.judgement.counts:
        return {}
    ranked = audited.ranked
    counts = expected(ranked, audited.classes)
    counts.loc[counts["given"].isin(audited.judgement.doubtful), ["expected", "share"]] = np.nan
    counts["given"] = names
    probabilities = transition(ranked, audited.classes)
    matrix = pd.DataFrame(probabilities, columns=names).round(3)
    matrix.insert(0, "true", names)
    found = {"classes": counts.round({"expected": 1, "share": 3}), "transition": matrix}
    if calibration.known(ranked):
        wrong = (ranked["given"] != ranked["true"]).to_numpy()
        bins = calibration.reliability(ranked["wrong"].to_numpy(), wrong)
        found["calibration"] = bins.round({"probability": 3, "share": 3})
        other = (ranked["suggested"] != ranked["given"]).to_numpy()
        right = (ranked["suggested"] == ranked["true"]).to_numpy()
        bins = calibration.reliability(ranked["confidence"].to_numpy()[other], right[other])
        found["suggestions"] = bins.round({"probability": 3, "share": 3})
    return found


NOTES = {
    "classes": (
        "Label errors by given class",
        "Expected: expected number of label errors, the sum of their probabilities.",
    ),
    "transition": (
        "Estimated transition matrix",
        "Probability that a sample of a true class (row) has a given label (column).",
    ),
    "calibration": (
        "Calibration of the probabilities",
        "Samples in bins of the error probability of their label: mean probability, and share of "
        "true label errors.",
    ),
    "suggestions": (
        "Calibration of the suggestions",
        "Samples with another label suggested, in bins of the confidence: its mean, and the share "
        "of suggestions that are right.",
    ),
}


def sections(audited: Audited, names: list[str]) -> list[Section]:
    """Return the tables of a page, with headings and notes."""
    found = []
    for name, table in tables(audited, names).items():
        heading, note = NOTES[name]
        found.append(Section(heading, table, note))
    return found
