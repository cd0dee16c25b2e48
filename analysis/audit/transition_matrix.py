"""The transition matrix that an audit estimates: how often each true class was given each label."""

import numpy as np
import pandas as pd


def transition(ranked: pd.DataFrame, classes: int) -> np.ndarray:
    """Estimated P(given | true), (classes, classes) with a row for each true class; a class that nobody has is 0.

    Each sample counts for its given class, for the suggested one by its confidence, and for all others evenly by what
    is left of the probability that it is wrong.
    """
    given, suggested, wrong = (ranked[name].to_numpy() for name in ("given", "suggested", "wrong"))
    moved = np.where(suggested == given, 0, ranked["confidence"])
    others = classes - 1 - (suggested != given)
    rest = (wrong - moved) / np.maximum(others, 1)
    truth = np.tile(rest[:, None], (1, classes))
    rows = np.arange(len(ranked))
    truth[rows, suggested] = moved
    truth[rows, given] = 1 - wrong
    joint = np.zeros((classes, classes))
    for c in range(classes):
        joint[:, c] = truth[given == c].sum(0)
    return joint / np.maximum(joint.sum(1, keepdims=True), 1e-12)
