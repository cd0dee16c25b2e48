"""An audit in tables and sentences: figures of every set of given labels, expected counts, transitions, calibration."""

from typing import Any

import pandas as pd

from analysis.audit import calibration
from analysis.audit.audit import Audited
from analysis.audit.contact_sheet import Section
from analysis.audit.label_suggestions import expected
from analysis.audit.transition_matrix import transition


def figures(found: list[Audited]) -> pd.DataFrame:
    """One row a set of given labels: seeds, trials, samples and expected number of wrong labels; where the true labels
    are known, also the measures of `analysis.audit.calibration.quality`. Of several sets, their mean as a last row."""
    rows = []
    for each in found:
        row: dict[str, Any] = {"samples": len(each.ranked), "expected": each.ranked["wrong"].sum()}
        row |= calibration.quality(each.ranked) if calibration.known(each.ranked) else {}
        rows.append({"seeds": " ".join(map(str, each.seeds)), "trials": len(each.seeds), **row})
    table = pd.DataFrame(rows)
    if len(table) > 1:
        mean = table.drop(columns="seeds").mean()
        table = pd.concat([table, pd.DataFrame([{"seeds": "mean", **mean}])], ignore_index=True)
    return table.round(4)


def tables(audited: Audited, names: list[str]) -> dict[str, pd.DataFrame]:
    """Tables of one set of given labels by name: `classes`, `transition` and, where the truth is known, `calibration`.

    `names` (classes,) are those of the classes. The transition matrix has a row for each true class.
    """
    counts = expected(audited.ranked, audited.classes)
    counts["given"] = names
    matrix = pd.DataFrame(transition(audited.ranked, audited.classes), columns=names).round(3)
    matrix.insert(0, "true", names)
    found = {"classes": counts.round({"expected": 1, "share": 3}), "transition": matrix}
    if calibration.known(audited.ranked):
        wrong = (audited.ranked["given"] != audited.ranked["true"]).to_numpy()
        bins = calibration.reliability(audited.ranked["wrong"].to_numpy(), wrong)
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
        "Samples by the probability that their label is wrong: its mean, and the share whose label is.",
    ),
}


def sections(audited: Audited, names: list[str]) -> list[Section]:
    """The tables for a page, with headings and notes."""
    return [
        Section(NOTES[name][0], table, NOTES[name][1])
        for name, table in tables(audited, names).items()
    ]


def sentences(audited: Audited, shown: int) -> list[str]:
    """What an audit found, for people."""
    ranked = audited.ranked
    count, n = ranked["wrong"].sum(), len(ranked)
    found = [
        f"About {count:.0f} of {n} labels are wrong ({100 * count / n:.1f} %).",
        f"The {shown} that are most surely wrong: given → suggested class, the probability that the given label is "
        "wrong, and that the suggested one is right.",
    ]
    if audited.unjudged:
        found.append(
            f"{audited.unjudged} samples were held out for validation in every trial, and are not judged."
        )
    if calibration.known(ranked):
        q = calibration.quality(ranked)
        first, likely, recall = (
            100 * q[name] for name in ("precision@wrong", "precision_half", "recall_half")
        )
        found.append(
            f"In truth {q['wrong']} are wrong. AUC {q['auc']:.3f}; wrong are {first:.1f} % of the first {q['wrong']} "
            f"of the list, and {likely:.1f} % of those above one half, which are {recall:.1f} % of all wrong ones."
        )
    return found
