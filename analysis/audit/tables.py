"""Tables and sentences of an audit.

Measures of every set of given labels, expected counts, transitions, calibration.
"""

from typing import Any

import pandas as pd

from analysis.audit import calibration
from analysis.audit.audit import Audited
from analysis.audit.contact_sheet import Section
from analysis.audit.label_suggestions import expected
from analysis.audit.transition_matrix import transition


def figures(found: list[Audited]) -> pd.DataFrame:
    """Return one row per set of given labels; for several sets, the last row is their mean.

    Columns: seeds, trials, samples and expected number of label errors. If the true labels are
    known, the measures of `analysis.audit.calibration.quality` are included.
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
    """Return the tables of one set of given labels by name.

    They are `classes`, `transition` and, if the true labels are known, `calibration`. `names`
    (classes,) are the names of the classes. The transition matrix has a row for each true class.
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
}


def sections(audited: Audited, names: list[str]) -> list[Section]:
    """Return the tables of a page, with headings and notes."""
    found = []
    for name, table in tables(audited, names).items():
        heading, note = NOTES[name]
        found.append(Section(heading, table, note))
    return found


def sentences(audited: Audited, shown: int) -> list[str]:
    """Return the results of an audit as sentences."""
    ranked = audited.ranked
    count = ranked["wrong"].sum()
    percent = 100 * count / len(ranked)
    found = [
        f"About {count:.0f} of {len(ranked)} labels are wrong ({percent:.1f} %).",
        f"The {shown} most probable label errors: given → suggested class, the probability that "
        "the given label is wrong, and the probability that the suggested label is correct.",
    ]
    if audited.unjudged:
        found.append(
            f"{audited.unjudged} samples are in every trial's validation set and are not ranked."
        )
    if audited.held_out is not None and len(audited.held_out):
        found.append(_out_of_sample(audited.held_out, len(ranked)))
    if calibration.known(ranked):
        found.append(_in_truth(calibration.quality(ranked)))
    return found


def _out_of_sample(held_out: pd.DataFrame, samples: int) -> str:
    """Return how often networks agree with labels that they were not trained on."""
    agreeing = 100 * (held_out["class"] == held_out["given"]).mean()
    text = (
        f"Networks that were not trained on a sample agree with its label for {agreeing:.1f} % of "
        f"{len(held_out)} samples."
    )
    if len(held_out) < samples:
        text += f" {samples - len(held_out)} samples are in folds without a completed trial."
    return text


def _in_truth(quality: dict[str, float]) -> str:
    """Return the quality of a ranking, from `calibration.quality`, as sentences."""
    wrong = quality["wrong"]
    auc = quality["auc"]
    first = 100 * quality["precision@wrong"]
    likely = 100 * quality["precision_half"]
    recall = 100 * quality["recall_half"]
    return (
        f"{wrong} labels are truly wrong. The AUC of the list is {auc:.3f}. Its first {wrong} "
        f"samples have a precision of {first:.1f} %. Samples with a probability above 0.5 have a "
        f"precision of {likely:.1f} % and a recall of {recall:.1f} %."
    )
