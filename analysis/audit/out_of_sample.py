"""Judgements of samples by networks that were not trained on them.

Every trial judges its validation set and the test set after its recorded epochs. Where the trials
are the folds of a cross-fitted study (`data.folds`), each training sample is in the validation set
of one fold of each seed, so that all labels are judged by networks that never saw them.
"""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np
import pandas as pd

from analysis.audit.label_suggestions import Table

Part = Literal["validation", "test"]
COLUMNS = ["index", "given", "class", "probability", "own", "loss", "judgements"]


def out_of_sample(tables: Sequence[Table], part: Part = "validation") -> pd.DataFrame:
    """Return what networks say of samples that they were not trained on.

    Args:
        tables: sample tables of trials with the same given labels.
        part: whether the samples are those of the training split that a trial held out as its
            validation set, or those of the test set.

    Returns:
        One row per sample that at least one trial judged, by index: index (row in the split), given
        (class), class (that the ensembles prefer), probability (of that class, mean over ensembles;
        0 for an ensemble that prefers another), own (probability of the given class) and loss
        (cross-entropy with it, nats), both means over networks, judgements (number of ensembles).
        An ensemble is a trial after a recorded epoch; the first epoch is left out if there are
        later ones.
    """
    found = [judgement for table in tables for judgement in _judgements(table, part)]
    if not found:
        return pd.DataFrame(columns=COLUMNS)
    judged = pd.concat(found, ignore_index=True)
    samples = judged.groupby("index")
    table = samples[["own", "loss"]].mean()
    table["judgements"] = samples.size()
    table["given"] = samples["given"].first()
    votes = judged.groupby(["index", "class"])["probability"].sum().reset_index()
    votes = votes.sort_values(["index", "probability"], ascending=[True, False], kind="stable")
    preferred = votes.drop_duplicates("index").set_index("index")
    table["class"] = preferred["class"]
    table["probability"] = preferred["probability"] / table["judgements"]
    return table.reset_index()[COLUMNS]


def _judgements(table: Table, part: Part) -> Iterator[pd.DataFrame]:
    """Yield a trial's judgements of a part after each recorded epoch that counts."""
    if f"{part}_loss" not in table:
        return
    index, given = _samples(table, part)
    if len(index) == 0:
        return
    count = len(table["epochs"])
    for epoch in range(min(1, count - 1), count):
        loss = table[f"{part}_loss"][epoch].astype(float)
        yield pd.DataFrame(
            {
                "index": index,
                "given": given,
                "class": table[f"{part}_class"][epoch].astype(np.int64),
                "probability": table[f"{part}_probability"][epoch].astype(float),
                "own": np.exp(-loss).mean(0),
                "loss": loss.mean(0),
            }
        )


def _samples(table: Table, part: Part) -> tuple[np.ndarray, np.ndarray]:
    """Return index and given class (m,) of the samples of a part.

    A validation set that is a split of its own has no samples of the training split.
    """
    if part == "test":
        return table["test_source_index"], table["test_label"].astype(np.int64)
    held = table["split"] == 1
    index = table["source_index"][held]
    if np.isin(index, table["source_index"][~held]).any():
        return index[:0], index[:0]
    return index, table["given"][held].astype(np.int64)
