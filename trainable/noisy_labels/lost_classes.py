"""Classes that a trained ensemble hardly predicts any more, found without true labels."""

import numpy as np

QUARTER = 0.25
"""A class is lost if it is predicted for less than this part of its share of the samples."""


def lost_classes(
    predicted: np.ndarray,
    tested: np.ndarray,
    given: np.ndarray,
    transition: np.ndarray | None,
    classes: int,
) -> list[int]:
    """Return the classes that the ensemble has lost.

    Predictions are those of test images. A network that has memorised its training images predicts
    their given labels, so that every class is found among them whatever it has learned.

    A class counts with the smallest of its shares: of the test labels, which may be wrong or
    balanced otherwise, of the given training labels, and of these as corrected by the transition
    matrix, because noise overstates rare classes.

    Args:
        predicted: the ensemble's class of each test image (m,).
        tested: labels of the test images (m,), right or not.
        given: given labels of the training images (n,).
        transition: P(given | true), (classes, classes), one row per true class; None if unknown.
        classes: number of classes.
    """
    shares = np.minimum(_shares(tested, classes), _shares(given, classes))
    if transition is not None and np.linalg.cond(transition) < 1 / np.finfo(float).eps:
        corrected = np.linalg.solve(transition.T, _shares(given, classes))
        shares = np.minimum(shares, corrected.clip(0))
    return np.flatnonzero(_shares(predicted, classes) < QUARTER * shares).tolist()


def _shares(labels: np.ndarray, classes: int) -> np.ndarray:
    return np.bincount(labels, minlength=classes) / len(labels)
