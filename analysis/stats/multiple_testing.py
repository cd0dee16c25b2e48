"""p values of several comparisons at once: the family-wise error."""

import numpy as np


def holm(p: np.ndarray, comparisons: int | None = None) -> np.ndarray:
    """Holm's adjusted p values (Scand. J. Statist. 6, 1979) of one family (m,); NaN stays NaN.

    `comparisons` is the family's size where some of it has no p yet; by default NaNs are not counted.
    """
    adjusted = np.full(len(p), np.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    factors = (comparisons or len(order)) - np.arange(len(order))
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * factors), 1)
    return adjusted
