"""Which given labels are wrong, and what they should be: the opinions of trials that were given the same labels.

A label is judged wrong as far as two witnesses say so: the division, which compares its loss with all others, and the
ensemble, which compares the given class with the one that it prefers. A division's posterior is nearly always 0 or 1,
and of a hard image with a right label it is wrong as surely; the ensemble is then unsure between the two classes. So

    P(wrong) = (1 − clean probability) · s / (s + g)
    P(suggestion is right) = P(wrong) · s / (1 − g)

with g the networks' probability of the given class, s the ensemble's of the suggested one, and all of them means over
trials, networks and recorded divisions. The division right after the warm-up is left out where there are later ones:
those networks have learnt from all labels alike. docs/audit.md says what was tried instead, and how well it is
calibrated.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd

Table = dict[str, np.ndarray]


def judged(table: Table) -> bool:
    """Whether a sample table holds a division and the ensemble's opinion of every training sample."""
    names = {"clean_probability", "ensemble_class", "ensemble_probability", "loss"}
    return (
        names <= table.keys()
        and len(table["epochs"]) > 0
        and not np.isnan(table["clean_probability"]).any()
    )


def given_labels(table: Table) -> pd.Series:
    """Given labels by source index: of the training samples and, where they share its split, of the held-out."""
    train = table["split"] == 0
    own_split = np.isin(table["source_index"][~train], table["source_index"][train]).any()
    rows = train if own_split else np.ones(len(train), bool)
    return pd.Series(
        table["given"][rows].astype(np.int64), table["source_index"][rows]
    ).sort_index()


def same_labels(tables: Sequence[Table]) -> list[list[int]]:
    """Places of the tables, those together that have the same given labels of the same samples; in order."""
    groups: dict[bytes, list[int]] = {}
    for k, table in enumerate(tables):
        given = given_labels(table)
        groups.setdefault(given.index.to_numpy().tobytes() + given.to_numpy().tobytes(), []).append(
            k
        )
    return list(groups.values())


def rank(tables: Sequence[Table], classes: int) -> pd.DataFrame:
    """Every sample that was trained on, the most surely wrong label first.

    Args:
        tables: sample tables of trials with the same given labels.
        classes: how many there are.

    Returns:
        One row a sample: index (row in the data set), given, true (−1 unknown), wrong (probability that the given
        label is), suggested (class; the given one where the ensemble never preferred another), confidence
        (probability that the suggestion is right), trials (how many of them trained on it).
    """
    train = [table["split"] == 0 for table in tables]
    index = np.unique(
        np.concatenate(
            [table["source_index"][rows] for table, rows in zip(tables, train, strict=True)]
        )
    )
    n = len(index)
    given, true, trials = np.empty(n, np.int64), np.empty(n, np.int64), np.zeros(n, np.int64)
    clean, own, votes = np.zeros(n), np.zeros(n), np.zeros((n, classes))
    for table, rows in zip(tables, train, strict=True):
        at = np.searchsorted(index, table["source_index"][rows])
        given[at], true[at] = table["given"][rows], table["true"][rows]
        trials[at] += 1
        late = range(min(1, len(table["epochs"]) - 1), len(table["epochs"]))
        for k in late:
            clean[at] += table["clean_probability"][k].astype(float).mean(0) / len(late)
            own[at] += np.exp(-table["loss"][k].astype(float)).mean(0) / len(late)
            votes[at, table["ensemble_class"][k]] += table["ensemble_probability"][k].astype(
                float
            ) / len(late)
    clean, own, votes = clean / trials, np.minimum(own / trials, 1), votes / trials[:, None]
    votes[np.arange(n), given] = 0
    other = votes.max(1)
    suggested = np.where(other > 0, votes.argmax(1), given)
    # Where no other class was ever preferred, each has an even part of what the given one leaves.
    support = np.maximum(other, (1 - own) / (classes - 1))
    wrong = (1 - clean) * support / np.maximum(support + own, 1e-12)
    share = np.minimum(support / np.maximum(1 - own, 1e-12), 1)
    confidence = np.where(suggested == given, 1 - wrong, wrong * share)
    ranked = pd.DataFrame(
        {"index": index, "given": given, "true": true, "wrong": wrong, "suggested": suggested}
    )
    ranked = ranked.assign(confidence=confidence, trials=trials, own=own)
    # Of equally sure ones, those first whose given class has the smaller probability.
    return ranked.sort_values(["wrong", "own"], ascending=[False, True], ignore_index=True).drop(
        columns="own"
    )


def expected(ranked: pd.DataFrame, classes: int) -> pd.DataFrame:
    """One row a given class: samples, expected (how many of them are wrong), share."""
    groups = ranked.groupby("given")["wrong"]
    table = pd.DataFrame({"samples": groups.size(), "expected": groups.sum()}).reindex(
        range(classes), fill_value=0
    )
    return (
        table.assign(share=table["expected"] / table["samples"].clip(lower=1))
        .rename_axis("given")
        .reset_index()
    )
