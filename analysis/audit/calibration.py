"""Quality of a ranking of label errors, and calibration of its probabilities.

Both need the true labels.
"""

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

BINS = 10
FIRST = (10, 100, 1000)
"""Numbers of first samples whose precision is shown, if the list is long enough."""


def known(ranked: pd.DataFrame) -> bool:
    """Return whether every sample of a ranking has a true label."""
    return bool((ranked["true"] >= 0).all())


def quality(ranked: pd.DataFrame) -> dict[str, float]:
    """Evaluate a ranking (`label_suggestions.rank`) with the true labels; NaN if undefined.

    samples; wrong (number of label errors); expected (sum of the probabilities); count_error
    (expected ÷ wrong − 1); auc and average_precision of the order; precision@10, @100, @1000 of the
    first samples of the list; precision@wrong of the first `wrong` ones (which is their recall
    too); precision_half and recall_half of those with a probability above 0.5; calibration_error
    (mean distance of probability and share of wrong labels over ten bins); suggestion_expected and
    suggestion_right (of the labels above 0.5 with another label suggested: mean confidence, and
    share of the suggestions that are right).
    """
    wrong = (ranked["given"] != ranked["true"]).to_numpy()
    right = (ranked["suggested"] == ranked["true"]).to_numpy()
    probability = ranked["wrong"].to_numpy()
    confidence = ranked["confidence"].to_numpy()
    likely = probability > 0.5
    other = likely & (ranked["suggested"] != ranked["given"]).to_numpy()
    count = int(wrong.sum())
    return {
        "samples": len(ranked),
        "wrong": count,
        "expected": float(probability.sum()),
        "count_error": _ratio(probability.sum() - count, count),
        **_order_quality(wrong),
        "precision_half": _ratio(wrong[likely].sum(), likely.sum()),
        "recall_half": _ratio(wrong[likely].sum(), count),
        "calibration_error": _calibration_error(probability, wrong),
        "suggestion_expected": _ratio(confidence[other].sum(), other.sum()),
        "suggestion_right": _ratio(right[other].sum(), other.sum()),
    }


def _order_quality(wrong: np.ndarray) -> dict[str, float]:
    """Evaluate the order only; `wrong` (n,) bool, the most probable label error first."""
    count = int(wrong.sum())
    auc = average_precision = precision_at_wrong = np.nan
    order = -np.arange(len(wrong))  # the order of the list breaks ties
    if 0 < count < len(wrong):
        auc = float(roc_auc_score(wrong, order))
    if count:
        average_precision = float(average_precision_score(wrong, order))
        precision_at_wrong = float(wrong[:count].mean())
    found = {"auc": auc, "average_precision": average_precision}
    for length in FIRST:
        if length <= len(wrong):
            found[f"precision@{length}"] = float(wrong[:length].mean())
    found["precision@wrong"] = precision_at_wrong
    return found


def _calibration_error(probability: np.ndarray, happened: np.ndarray) -> float:
    """Return the mean distance of probability and share over ten bins, weighted by samples."""
    bins = reliability(probability, happened)
    distance = (bins["probability"] - bins["share"]).abs()
    return float((bins["samples"] * distance).sum() / len(happened))


def reliability(probability: np.ndarray, happened: np.ndarray) -> pd.DataFrame:
    """Compare probabilities (n,) with outcomes (n,) bool in ten bins of equal width.

    Empty bins are omitted. Columns: low, high, samples, probability (mean), share (that
    happened).
    """
    place = (probability * BINS).astype(int)
    place = np.minimum(place, BINS - 1)  # a probability of 1 is in the last bin
    samples = {"probability": probability, "share": happened.astype(float)}
    groups = pd.DataFrame(samples).groupby(place)
    table = groups.mean()
    table.insert(0, "samples", groups.size())
    table.insert(0, "high", (table.index + 1) / BINS)
    table.insert(0, "low", table.index / BINS)
    return table.reset_index(drop=True)


def _ratio(part: float, whole: float) -> float:
    """Return `part` / `whole`; NaN if `whole` is 0."""
    if not whole:
        return np.nan
    return float(part / whole)
