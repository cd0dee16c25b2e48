"""Correction for multiple testing, which controls the family-wise error."""

import numpy as np


def holm(p: np.ndarray) -> np.ndarray:
    """Return Holm's adjusted p values (Scand. J. Statist. 6, 1979) of a family (m,).

    NaN remains NaN and is not counted.
    """
    known = np.flatnonzero(~np.isnan(p))
    ascending = known[np.argsort(p[known], kind="stable")]
    factors = len(ascending) - np.arange(len(ascending))
    monotone = np.maximum.accumulate(p[ascending] * factors)
    adjusted = np.full(len(p), np.nan)
    adjusted[ascending] = np.minimum(monotone, 1)
    return adjusted
