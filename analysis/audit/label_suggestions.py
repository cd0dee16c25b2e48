"""Which given labels are wrong, and what they should be: by trials with the same given labels.

A label is judged wrong as far as two witnesses say so: the division, which compares its loss with
all others, and the ensemble, which compares the given class with the one that it prefers. A
division's posterior is nearly always 0 or 1, and of a hard image with a right label it is wrong as
surely; the ensemble is then unsure between the two classes. So

    P(wrong) = (1 − clean probability) · s / (s + g)
    P(suggestion is right) = P(wrong) · s / (1 − g)

with g the networks' probability of the given class, s the ensemble's of the suggested one, and all
of them means over trials, networks and recorded divisions. The division right after the warm-up is
left out where there are later ones: those networks have learnt from all labels alike. docs/audit.md
says what was tried instead, and how well it is calibrated.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

Table = dict[str, np.ndarray]


def judged(table: Table) -> bool:
    """Whether a sample table has a division and the ensemble's opinion of every training sample."""
    names = {"clean_probability", "ensemble_class", "ensemble_probability", "loss"}
    if not names <= table.keys():
        return False
    if len(table["epochs"]) == 0:
        return False
    return not np.isnan(table["clean_probability"]).any()


def given_labels(table: Table) -> pd.Series:
    """Given labels by source index.

    Of the training samples and, where they share its split, of the held-out.
    """
    train = table["split"] == 0
    source = table["source_index"]
    rows = train
    own_split = np.isin(source[~train], source[train]).any()
    if not own_split:
        rows = np.ones(len(train), bool)
    labels = table["given"][rows].astype(np.int64)
    return pd.Series(labels, source[rows]).sort_index()


def same_labels(tables: Sequence[Table]) -> list[list[int]]:
    """Places of the tables, in order, grouped by equal given labels of the same samples."""
    groups: dict[bytes, list[int]] = {}
    for place, table in enumerate(tables):
        given = given_labels(table)
        samples = given.index.to_numpy()
        key = samples.tobytes() + given.to_numpy().tobytes()
        groups.setdefault(key, []).append(place)
    return list(groups.values())


@dataclass(frozen=True)
class _Opinions:
    """What trials with the same given labels say of the n samples that any of them trained on.

    Attributes:
        index: (n,) row in the data set, ascending.
        given, true: (n,) classes.
        trials: (n,) how many of them trained on the sample.
        clean: (n,) clean probability, mean over trials, networks and divisions; so are
        own: (n,) the networks' probability of the given class, and
        votes: (n, classes) the ensemble's probability of the class that it preferred; 0 for the
            given class.
    """

    index: np.ndarray
    given: np.ndarray
    true: np.ndarray
    trials: np.ndarray
    clean: np.ndarray
    own: np.ndarray
    votes: np.ndarray


def rank(tables: Sequence[Table], classes: int) -> pd.DataFrame:
    """Every sample that was trained on, the most surely wrong label first.

    Args:
        tables: sample tables of trials with the same given labels.
        classes: how many there are.

    Returns:
        One row a sample: index (row in the data set), given, true (−1 unknown), wrong (probability
        that the given label is), suggested (class; the given one where the ensemble never preferred
        another), confidence (probability that the suggestion is right), trials (how many of them
        trained on it).
    """
    opinions = _opinions(tables, classes)
    given = opinions.given
    own = opinions.own
    other = opinions.votes.max(1)
    suggested = np.where(other > 0, opinions.votes.argmax(1), given)
    # Where no other class was ever preferred, each has an even part of what the given one leaves.
    support = np.maximum(other, (1 - own) / (classes - 1))
    wrong = (1 - opinions.clean) * support / np.maximum(support + own, 1e-12)
    share = np.minimum(support / np.maximum(1 - own, 1e-12), 1)
    confidence = np.where(suggested == given, 1 - wrong, wrong * share)
    ranked = pd.DataFrame(
        {
            "index": opinions.index,
            "given": given,
            "true": opinions.true,
            "wrong": wrong,
            "suggested": suggested,
            "confidence": confidence,
            "trials": opinions.trials,
            "own": own,
        }
    )
    # Of equally sure ones, those first whose given class has the smaller probability.
    ranked = ranked.sort_values(["wrong", "own"], ascending=[False, True], ignore_index=True)
    return ranked.drop(columns="own")


def _opinions(tables: Sequence[Table], classes: int) -> _Opinions:
    """Collect what the tables' trials say of each sample."""
    trained = [table["source_index"][table["split"] == 0] for table in tables]
    index = np.unique(np.concatenate(trained))
    n = len(index)
    given = np.empty(n, np.int64)
    true = np.empty(n, np.int64)
    trials = np.zeros(n, np.int64)
    clean = np.zeros(n)
    own = np.zeros(n)
    votes = np.zeros((n, classes))
    for table, source in zip(tables, trained, strict=True):
        train = table["split"] == 0
        at = np.searchsorted(index, source)
        given[at] = table["given"][train]
        true[at] = table["true"][train]
        trials[at] += 1
        divisions = _after_warm_up(table)
        count = len(divisions)
        for k in divisions:
            ensemble_probability = table["ensemble_probability"][k].astype(float)
            clean[at] += table["clean_probability"][k].astype(float).mean(0) / count
            own[at] += np.exp(-table["loss"][k].astype(float)).mean(0) / count
            votes[at, table["ensemble_class"][k]] += ensemble_probability / count
    votes = votes / trials[:, None]
    votes[np.arange(n), given] = 0
    return _Opinions(
        index=index,
        given=given,
        true=true,
        trials=trials,
        clean=clean / trials,
        own=np.minimum(own / trials, 1),
        votes=votes,
    )


def _after_warm_up(table: Table) -> range:
    """Places of a table's divisions, without the first one if there are later ones."""
    count = len(table["epochs"])
    first = min(1, count - 1)
    return range(first, count)


def expected(ranked: pd.DataFrame, classes: int) -> pd.DataFrame:
    """One row a given class: samples, expected (how many of them are wrong), share."""
    groups = ranked.groupby("given")["wrong"]
    columns = {"samples": groups.size(), "expected": groups.sum()}
    table = pd.DataFrame(columns).reindex(range(classes), fill_value=0)
    at_least_one = table["samples"].clip(lower=1)
    table["share"] = table["expected"] / at_least_one
    return table.rename_axis("given").reset_index()
