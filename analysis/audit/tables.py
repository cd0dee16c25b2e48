"""Tables and sentences of an audit.

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
from analysis.audit.witnesses import COUNTS, Judgement


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


def sentences(audited: Audited, shown: int) -> list[str]:
    """Return the results of an audit as sentences."""
    judgement = audited.judgement
    found = [*claims(audited), order(judgement)]
    listed = f"The {shown} most suspicious labels: given"
    if judgement.suggests:
        listed += " → suggested class"
    if judgement.counts:
        listed += (
            ", the probability that the given label is wrong, and the probability that the "
            "suggested label is correct"
        )
    found.append(f"{listed}.")
    if audited.unjudged:
        found.append(
            f"{audited.unjudged} samples are in every trial's validation set and are not ranked."
        )
    if calibration.known(audited.ranked):
        found.append(_in_truth(audited))
    return found


def claims(audited: Audited) -> list[str]:
    """Return what the audit says of its networks and of the number of wrong labels."""
    judgement = audited.judgement
    samples = len(audited.ranked)
    if judgement.counts:
        count, least, most = counted(audited)
        return [
            f"About {count:.0f} of {samples} labels are wrong ({100 * count / samples:.1f} %), "
            f"between {least:.0f} and {most:.0f} if the networks are right about "
            f"{100 * judgement.accuracy:.0f} % of the images, as their agreement with the given "
            "labels suggests."
        ]
    if judgement.failed:
        why = (
            "The division failed: after it, the networks agree less with the validation labels "
            "than after the warm-up."
        )
    elif judgement.outdone:
        why = "Plain training agrees with more of the validation labels than these networks."
    elif np.isnan(judgement.accuracy):
        why = "The networks' accuracy cannot be estimated: these trials have no division."
    else:
        why = (
            f"The networks are right about {100 * judgement.accuracy:.0f} % of the images, as far "
            f"as their agreement with the given labels shows; {100 * COUNTS:.0f} % are needed."
        )
    found = [f"{why} How many labels are wrong, and how probably each is, cannot be said."]
    if judgement.suggests:
        found.append("Suggested labels are guesses without a probability: look at each image.")
    else:
        found.append("No other labels are suggested.")
    return found


def order(judgement: Judgement) -> str:
    """Say what ordered the labels."""
    witness, *arms = judgement.witnesses
    if witness == "division":
        return "The labels are ordered by DivideMix's division and the networks' predictions."
    trials = " and ".join(f"`{arm}`" for arm in arms)
    text = f"The labels are ordered by their margins over all epochs of {trials}."
    if len(arms) == 1 and not judgement.failed:
        text += " An arm with `method.name: cross_entropy` would be a second witness."
    return text


def _in_truth(audited: Audited) -> str:
    """Return the quality of a ranking with known true labels as sentences."""
    quality = calibration.quality(audited.ranked)
    wrong = quality["wrong"]
    first = 100 * quality["precision@wrong"]
    text = (
        f"{wrong} labels are truly wrong. The AUC of the list is {quality['auc']:.3f}. Its first "
        f"{wrong} samples have a precision of {first:.1f} %."
    )
    if audited.judgement.counts:
        text += (
            f" Samples with a probability above 0.5 have a precision of "
            f"{100 * quality['precision_half']:.1f} % and a recall of "
            f"{100 * quality['recall_half']:.1f} %."
        )
    return text
