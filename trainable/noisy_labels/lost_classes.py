"""Classes that a trained ensemble hardly predicts any more, found without true labels."""

import numpy as np

QUARTER = 0.25
"""A class is lost if it is predicted for less than this part of its share of the samples."""


def lost_classes(
    predicted: np.ndarray, given: np.ndarray, transition: np.ndarray | None, classes: int
) -> list[int]:
    """Return the classes that the ensemble has lost.

    Noisy labels overstate rare classes, so that the shares of the given labels are corrected by the
    transition matrix. With few samples the correction is uncertain; a class counts with the smaller
    one of both shares.

    Args:
        predicted: the ensemble's class of each training sample (n,).
        given: given labels (n,).
        transition: P(given | true), (classes, classes), one row per true class; None if unknown.
        classes: number of classes.
    """
    shares = np.bincount(given, minlength=classes) / len(given)
    if transition is not None and np.linalg.cond(transition) < 1 / np.finfo(float).eps:
        corrected = np.linalg.solve(transition.T, shares)
        shares = np.minimum(shares, corrected.clip(0))
    found = np.bincount(predicted, minlength=classes) / len(predicted)
    return np.flatnonzero(found < QUARTER * shares).tolist()
