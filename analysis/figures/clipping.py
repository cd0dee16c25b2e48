"""Axis of paired differences that one outlier does not squeeze."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

TYPICAL = 3.0
"""An axis ends at this many times the typical distance from 0, unless all intervals end nearby."""
NEARBY = 1.5
"""Intervals that end within this many times the end of the axis do not break it."""


@dataclass(frozen=True)
class Limits:
    """Ends of an axis of differences; intervals beyond them are drawn as arrows."""

    low: float
    high: float

    def inside(self, value: float) -> float:
        """Return the value, or the end of the axis that it is beyond."""
        return float(min(max(value, self.low), self.high))

    def beyond(self, value: float) -> bool:
        """Return whether a value is not on the axis."""
        return not self.low <= value <= self.high


def limits(rows: pd.DataFrame, margin: float) -> Limits:
    """Return the ends of an axis for the differences of `rows`, with their intervals.

    Args:
        rows: a comparison, of which difference, low and high are used.
        margin: equivalence margin in points, which is always shown on both sides.
    """
    ends = rows[["difference", "low", "high"]].to_numpy(float)
    ends = np.where(np.isfinite(ends), ends, np.nan)
    farthest = np.nanmax(np.abs(ends), axis=1) if len(ends) else np.array([margin])
    # The lower of the two in the middle, so that one of two arms may be the outlier.
    typical = float(np.nanquantile(farthest, 0.5, method="lower"))
    reach = max(TYPICAL * typical, 2 * margin)
    low = min(float(np.nanmin(ends, initial=0.0)), -margin)
    high = max(float(np.nanmax(ends, initial=0.0)), margin)
    if low < -NEARBY * reach:
        low = -reach
    if high > NEARBY * reach:
        high = reach
    room = 0.05 * (high - low)
    return Limits(low - room, high + room)
