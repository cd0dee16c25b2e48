"""An audit in tables and sentences.

Figures of every set of given labels, expected counts, transitions, calibration.
"""

from typing import Any

import pandas as pd

from analysis.audit import calibration
from analysis.audit.audit import Audited
from analysis.audit.contact_sheet import Section
from analysis.audit.label_suggestions import expected
from analysis.audit.transition_matrix import transition


def figures(found: list[Audited]) -> pd.DataFrame:
    """One row a set of given labels, and of several sets their mean as a last row.

    Columns: seeds, trials, samples and expected number of wrong labels; where the true labels are
    known, also the measures of `analysis.audit.calibration.quality`.
    """
    rows = []
    for audited in found:
        ranked = audited.ranked
        row: dict[str, Any] = {
            "seeds": " ".join(map(str, audited.seeds)),
            "trials": len(audited.seeds),
            "samples": len(ranked),
            "expected": ranked["wrong"].sum(),
        }
        if calibration.known(ranked):
            row.update(calibration.quality(ranked))
        rows.append(row)
    table = pd.DataFrame(rows)
    if len(table) > 1:
        mean = table.drop(columns="seeds").mean()
        last = pd.DataFrame([{"seeds": "mean", **mean}])
        table = pd.concat([table, last], ignore_index=True)
    return table.round(4)


def tables(audited: Audited, names: list[str]) -> dict[str, pd.DataFrame]:
    """Tables of one set of given labels by name.

    `classes`, `transition` and, where the truth is known, `calibration`. `names` (classes,) are
    those of the classes. The transition matrix has a row for each true class.
    """
    ranked = audited.ranked
    counts = expected(ranked, audited.classes)
    counts["given"] = names
    probabilities = transition(ranked, audited.classes)
    matrix = pd.DataFrame(probabilities, columns=names).round(3)
    matrix.insert(0, "true", names)
    found = {"classes": counts.round({"expected": 1, "share": 3}), "transition": matrix}
    if calibration.known(ranked):
        wrong = (ranked["given"] != ranked["true"]).to_numpy()
        bins = calibration.reliability(ranked["wrong"].to_numpy(), wrong)
        found["calibration"] = bins.round({"probability": 3, "share": 3})
    return found


NOTES = {
    "classes": (
        "Wrong labels by given class",
        "Expected: the sum of the probabilities that the labels are wrong.",
    ),
    "transition": (
        "Estimated transition matrix",
        "How often an image of each true class (rows) is given each class (columns).",
    ),
    "calibration": (
        "What the probability is worth",
        "Samples by the probability that their label is wrong: its mean, and the share whose label "
        "is.",
    ),
}


def sections(audited: Audited, names: list[str]) -> list[Section]:
    """The tables for a page, with headings and notes."""
    found = []
    for name, table in tables(audited, names).items():
        heading, note = NOTES[name]
        found.append(Section(heading, table, note))
    return found


def sentences(audited: Audited, shown: int) -> list[str]:
    """What an audit found, for people."""
    ranked = audited.ranked
    count = ranked["wrong"].sum()
    percent = 100 * count / len(ranked)
    found = [
        f"About {count:.0f} of {len(ranked)} labels are wrong ({percent:.1f} %).",
        f"The {shown} that are most surely wrong: given → suggested class, the probability that "
        "the given label is wrong, and that the suggested one is right.",
    ]
    if audited.unjudged:
        found.append(
            f"{audited.unjudged} samples were held out for validation in every trial, and are not "
            "judged."
        )
    if calibration.known(ranked):
        found.append(_in_truth(calibration.quality(ranked)))
    return found


def _in_truth(quality: dict[str, float]) -> str:
    """How good a ranking is, from the measures of `calibration.quality`."""
    wrong = quality["wrong"]
    auc = quality["auc"]
    first = 100 * quality["precision@wrong"]
    likely = 100 * quality["precision_half"]
    recall = 100 * quality["recall_half"]
    return (
        f"In truth {wrong} are wrong. AUC {auc:.3f}; wrong are {first:.1f} % of the first {wrong} "
        f"of the list, and {likely:.1f} % of those above one half, which are {recall:.1f} % of all "
        "wrong ones."
    )
