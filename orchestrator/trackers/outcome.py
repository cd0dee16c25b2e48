"""What an export to a tracker ends with: what it has changed, or that the tracker is down."""

from dataclasses import dataclass


class TrackerDown(Exception):
    """The tracker cannot be reached now, or refuses what it is sent; the text is one sentence."""


@dataclass(frozen=True)
class Exported:
    """What an export has changed: numbers of runs that were new, and of runs that have grown."""

    new: int
    changed: int
