"""Completed runs that count as failures: they have collapsed, or have lost a class."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from trainable.storage.names import LAST10


def what_failed(summary: Mapping[str, Any]) -> str:
    """Return why a completed run counts as failed; "" if it does not.

    Runs of versions that did not look for lost classes do not tell.
    """
    if summary.get("collapsed") is True:
        return "collapsed: it ended nearer to chance than to its best epoch"
    lost = summary.get("lost_classes")
    if not isinstance(lost, list) or not lost:
        return ""
    classes = "class" if len(lost) == 1 else "classes"
    return f"lost {classes} {', '.join(map(str, lost))}: hardly predicted any more"


FAILED_STATES = ("failed", "blocked")
"""States of trials without a result that count as failed runs."""


class Outcome(NamedTuple):
    """How a run has ended: its accuracy in percent, None after an error; whether it has failed."""

    accuracy: float | None
    failed: bool


ERROR = Outcome(None, True)
"""A run that ended with an error, or that lacks the result of a failed one."""


def outcome(summary: Mapping[str, Any]) -> Outcome:
    """Return how a completed run has ended."""
    return Outcome(float(summary[LAST10]), bool(what_failed(summary)))
