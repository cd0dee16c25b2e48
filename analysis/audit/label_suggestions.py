"""Estimate label errors and suggest labels, from trials with the same given labels.

The probability of a label error combines two estimates. The division compares the loss of the
label with all others. The ensemble compares the given class with the class that it predicts. The
posterior of a division is nearly always 0 or 1, also if it is wrong about a hard image with a
correct label. The ensemble is then uncertain between the two classes. Therefore

    P(wrong) = (1 − clean probability) · s / (s + g)
    P(suggestion is right) = P(wrong) · s / (1 − g)

with g the networks' probability of the given class and s the ensemble's probability of the
suggested class. All are means over trials, networks and recorded divisions. The division right
after the warm-up is excluded if there are later ones: its networks were trained on all labels.
docs/audit.md describes alternatives and the calibration.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

Table = dict[str, np.ndarray]


def divided(table: Table) -> bool:
    """Return whether a table has a clean probability of every training sample."""
    return "clean_probability" in table and not np.isnan(table["clean_probability"]).any()


def judged(table: Table) -> bool:
    """Return whether a table has the ensemble's predictions, and a division or margins."""
    if not {"ensemble_class", "ensemble_probability", "loss", "epochs"} <= table.keys():
        return False
    if len(table["epochs"]) == 0:
        return False
    return divided(table) or "label_margin" in table


def given_labels(table: Table) -> pd.Series:
    """Return given labels by source index.

    They are those of the training samples and of validation samples from the same split.
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
    """Group the positions of tables that have equal given labels for the same samples."""
    groups: dict[bytes, list[int]] = {}
    for place, table in enumerate(tables):
        given = given_labels(table)
        samples = given.index.to_numpy()
        key = samples.tobytes() + given.to_numpy().tobytes()
        groups.setdefault(key, []).append(place)
    return list(groups.values())


@dataclass(frozen=True)
class _Opinions:
    """Estimates of trials with the same given labels for the n samples of their training sets.

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
    """Rank all training samples, the most probable label error first.

    Args:
        tables: sample tables of trials with the same given labels.
        classes: number of classes.

    Returns:
        One row per sample: index (row in the data set), given, true (−1 unknown), wrong
        (probability that the given label is wrong), suggested (class; the given one if the ensemble
        never predicted another), confidence (probability that the suggestion is correct), trials
        (number of trials that trained on it).
    """
    opinions = _opinions(tables, classes)
    given = opinions.given
    own = opinions.own
    other = opinions.votes.max(1)
    suggested = np.where(other > 0, opinions.votes.argmax(1), given)
    # If no other class was ever predicted, the remaining probability is shared equally.
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
    # Ties are sorted by the probability of the given class, the smallest first.
    ranked = ranked.sort_values(["wrong", "own"], ascending=[False, True], ignore_index=True)
    return ranked.drop(columns="own")


def _opinions(tables: Sequence[Table], classes: int) -> _Opinions:
    """Collect the estimates of all trials for each sample."""
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
        name = "clean_probability" if divided(table) else "label_probability"
        for k in divisions:
            ensemble_probability = table["ensemble_probability"][k].astype(float)
            clean[at] += _mean_of_networks(table[name][k]) / count
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


def _mean_of_networks(probabilities: np.ndarray) -> np.ndarray:
    """Return the mean (n,) of probabilities (networks, n); 1/2 where a network saw no sample."""
    values = probabilities.astype(float)
    mean: np.ndarray = np.where(np.isnan(values), 0.5, values).mean(0)
    return mean


def _after_warm_up(table: Table) -> range:
    """Return the positions of a table's divisions, without the first if there are later ones."""
    count = len(table["epochs"])
    first = min(1, count - 1)
    return range(first, count)


def expected(ranked: pd.DataFrame, classes: int) -> pd.DataFrame:
    """Return one row per given class: samples, expected (number of label errors), share."""
    groups = ranked.groupby("given")["wrong"]
    columns = {"samples": groups.size(), "expected": groups.sum()}
    table = pd.DataFrame(columns).reindex(range(classes), fill_value=0)
    at_least_one = table["samples"].clip(lower=1)
    table["share"] = table["expected"] / at_least_one
    return table.rename_axis("given").reset_index()
