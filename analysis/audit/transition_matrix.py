"""Transition matrix estimated by an audit: P(given label | true class)."""

import numpy as np
import pandas as pd


def transition(ranked: pd.DataFrame, classes: int) -> np.ndarray:
    """Estimate P(given | true): (classes, classes) with a row for each true class.

    The row of a class without samples is 0. Each sample counts for its given class, for the
    suggested one by its confidence, and for all others evenly by what is left of the probability
    that it is wrong.
    """
    given = ranked["given"].to_numpy()
    suggested = ranked["suggested"].to_numpy()
    wrong = ranked["wrong"].to_numpy()
    agrees = suggested == given
    moved = np.where(agrees, 0, ranked["confidence"])
    others = classes - 1 - ~agrees
    rest = (wrong - moved) / np.maximum(others, 1)
    truth = np.tile(rest[:, None], (1, classes))
    samples = np.arange(len(ranked))
    truth[samples, suggested] = moved
    truth[samples, given] = 1 - wrong
    joint = np.zeros((classes, classes))
    for label in range(classes):
        joint[:, label] = truth[given == label].sum(0)
    total = joint.sum(1, keepdims=True)
    matrix: np.ndarray = joint / np.maximum(total, 1e-12)
    return matrix
