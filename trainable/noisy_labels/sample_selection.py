"""Which samples are labeled, from their clean probabilities: threshold, class balance, agreement.

The threshold is that of the authors' `Train_cifar.py`; the variants are other people's, as they
say.
"""

from collections.abc import Sequence

import numpy as np

MARGIN = 1e-5
"""How far inside the range of the clean probabilities a threshold stays."""


def split(
    clean_probability: np.ndarray, threshold: float, inclusive: bool = False
) -> tuple[np.ndarray, float]:
    """Which samples are labeled (n,) bool, and the threshold that was used.

    Labeled are those above the threshold, or on it if `inclusive`. The threshold is kept just
    inside the range of the probabilities (as Contrast-to-Divide does), so neither side is empty; if
    all probabilities are equal there is nothing to divide, and every sample is labeled.
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
    """Labeled samples (n,) bool, as many as before, but equally many of each class in `given` (n,).

    Of each class those with the highest clean probability are taken, at equal ones those with the
    smallest loss (UNICON's uniform selection, which ranks by a divergence). A class with too few
    samples gives all it has.
    """
    classes = np.unique(given)
    quota = max(1, int(labeled.sum()) // len(classes))
    order = np.lexsort((losses, -clean_probability))
    result = np.zeros_like(labeled)
    for c in classes:
        of_class = order[given[order] == c]
        result[of_class[:quota]] = True
    return result


def agreed(
    labeled: np.ndarray,
    clean_probability: np.ndarray,
    classes: Sequence[np.ndarray],
    given: np.ndarray,
    rule: str,
) -> np.ndarray:
    """Labeled samples (n,) bool for which both networks predict one class.

    `classes` are their predictions, (n,) each. Rules: `intended`; `strict`, the class must be the
    `given` one (n,) too; `published`, which takes any clean probability above 0 for labeled, since
    the code behind the COMP6248 report compares a boolean with the threshold.
    """
    agree: np.ndarray = classes[0] == classes[1]
    if rule == "strict":
        agree &= classes[0] == given
    if rule == "published":
        agree &= clean_probability > 0
    else:
        agree &= labeled
    return agree
