"""Selection of the labeled set by clean probability: threshold, class balance, agreement.

The threshold follows the authors' `Train_cifar.py`; docstrings name the sources of the variants.
"""

from collections.abc import Sequence

import numpy as np

MARGIN = 1e-5
"""Minimum distance of a threshold from the ends of the range of clean probabilities."""


def split(
    clean_probability: np.ndarray, threshold: float, inclusive: bool = False
) -> tuple[np.ndarray, float]:
    """Return the labeled set, (n,) bool, and the threshold that was used.

    A sample is labeled if its clean probability exceeds the threshold, or equals it if `inclusive`.
    The threshold is moved inside the range of the probabilities (as in Contrast-to-Divide), so
    neither set is empty. If all probabilities are equal, every sample is labeled.
    """
    low = float(clean_probability.min())
    high = float(clean_probability.max())
    if high - low <= 2 * MARGIN:
        return np.ones(len(clean_probability), bool), threshold
    used = min(max(threshold, low + MARGIN), high - MARGIN)
    if inclusive:
        return clean_probability >= used, used
    return clean_probability > used, used


def balanced(
    labeled: np.ndarray, clean_probability: np.ndarray, losses: np.ndarray, given: np.ndarray
) -> np.ndarray:
    """Return a labeled set (n,) bool of about the same size, with equal shares of the classes.

    Each class in `given` (n,) contributes the samples with the highest clean probability, and among
    equal ones those with the smallest loss. A class with too few samples contributes all of them.
    This is UNICON's uniform selection, which ranks by a divergence instead.
    """
    classes = np.unique(given)
    quota = max(1, int(labeled.sum()) // len(classes))
    order = np.lexsort((losses, -clean_probability, given))  # class by class
    first_of_class = np.searchsorted(given[order], given[order])
    place = np.arange(len(order)) - first_of_class
    result = np.zeros_like(labeled)
    result[order[place < quota]] = True
    return result


def agreed(
    labeled: np.ndarray,
    clean_probability: np.ndarray,
    classes: Sequence[np.ndarray],
    given: np.ndarray,
    rule: str,
) -> np.ndarray:
    """Return the labeled set (n,) bool, restricted to samples with equal predictions.

    Args:
        labeled: (n,) bool.
        clean_probability: (n,).
        classes: predicted classes of both networks, (n,) each.
        given: (n,) labels.
        rule: `intended`: no further condition. `strict`: the class is also the given label.
            `published`: a clean probability above 0 suffices instead of `labeled`, because the code
            of the COMP6248 report compares a boolean with the threshold.
    """
    agree: np.ndarray = classes[0] == classes[1]
    if rule == "strict":
        agree &= classes[0] == given
    if rule == "published":
        agree &= clean_probability > 0
    else:
        agree &= labeled
    return agree
