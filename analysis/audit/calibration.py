"""How good a ranking of wrong labels is, and what its probabilities are worth, where the true labels are known."""

import numpy as np
import pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score

BINS = 10
FIRST = (10, 100, 1000)
"""Lengths of the top of the list whose precision is shown, as far as it is long enough."""


def known(ranked: pd.DataFrame) -> bool:
    """Whether every sample of a ranking has a true label."""
    return bool((ranked["true"] >= 0).all())


def quality(ranked: pd.DataFrame) -> dict[str, float]:
    """Measures of a ranking (`label_suggestions.rank`) against the truth; those that are undefined are NaN.

    samples; wrong (labels that are); expected (sum of the probabilities); count_error (expected ÷ wrong − 1);
    auc and average_precision of the order; precision@10, @100, @1000 of the first so many; precision@wrong of the first
    `wrong` ones (which is their recall too); precision_half and recall_half of those with a probability above 0.5;
    calibration_error (mean distance of probability and share of wrong labels over ten bins); suggestion_expected and
    suggestion_right (of the labels above 0.5: mean confidence, and share of the suggestions that are right).
    """
    wrong, probability = (ranked["given"] != ranked["true"]).to_numpy(), ranked["wrong"].to_numpy()
    count, order = (
        int(wrong.sum()),
        -np.arange(len(ranked)),
    )  # the list decides between equal probabilities
    likely, right = probability > 0.5, (ranked["suggested"] == ranked["true"]).to_numpy()
    both = 0 < count < len(wrong)
    bins = reliability(probability, wrong)
    return {
        "samples": len(ranked),
        "wrong": count,
        "expected": float(probability.sum()),
        "count_error": _ratio(probability.sum() - count, count),
        "auc": float(roc_auc_score(wrong, order)) if both else np.nan,
        "average_precision": float(average_precision_score(wrong, order)) if count else np.nan,
        **{f"precision@{k}": float(wrong[:k].mean()) for k in FIRST if k <= len(wrong)},
        "precision@wrong": float(wrong[:count].mean()) if count else np.nan,
        "precision_half": _ratio(wrong[likely].sum(), likely.sum()),
        "recall_half": _ratio(wrong[likely].sum(), count),
        "calibration_error": float(
            (bins["samples"] * (bins["probability"] - bins["share"]).abs()).sum() / len(wrong)
        ),
        "suggestion_expected": _ratio(ranked["confidence"].to_numpy()[likely].sum(), likely.sum()),
        "suggestion_right": _ratio(right[likely].sum(), likely.sum()),
    }


def reliability(probability: np.ndarray, happened: np.ndarray) -> pd.DataFrame:
    """Probabilities (n,) against what happened (n,) bool, in ten bins of equal width that are not empty.

    Columns: low, high, samples, probability (mean), share (that happened).
    """
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    groups = pd.DataFrame({"probability": probability, "share": happened.astype(float)}).groupby(
        place
    )
    table = groups.mean()
    table.insert(0, "samples", groups.size())
    table.insert(0, "high", (table.index + 1) / BINS)
    table.insert(0, "low", table.index / BINS)
    return table.reset_index(drop=True)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else np.nan
