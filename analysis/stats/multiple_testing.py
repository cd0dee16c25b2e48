"""Correction for multiple testing, which controls the family-wise error."""

import numpy as np


def holm(p: np.ndarray, comparisons: int | None = None) -> np.ndarray:
    """Return Holm's adjusted p values (Scand. J. Statist. 6, 1979) of a family (m,).

    NaN remains NaN. `comparisons` is the size of the family if some comparisons have no p yet; by
    default NaNs are not counted.
    """
    known = np.flatnonzero(~np.isnan(p))
    ascending = known[np.argsort(p[known], kind="stable")]
    if not comparisons:
        comparisons = len(ascending)
    factors = comparisons - np.arange(len(ascending))
    monotone = np.maximum.accumulate(p[ascending] * factors)
    adjusted = np.full(len(p), np.nan)
    adjusted[ascending] = np.minimum(monotone, 1)
    return adjusted
