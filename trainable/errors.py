"""Ends of a trial that trying again would not change.

Each is written to `failure.json` with its kind.
"""


class TrialError(Exception):
    """A trial cannot continue, and the message says why and what to do."""

    kind = "error"


class TimedOut(TrialError):
    """The trial has trained for longer than `run.trial_timeout`."""

    kind = "timeout"


class DataError(TrialError):
    """The data is missing, unreadable or not of the promised form."""

    kind = "data"


class NonFiniteLoss(TrialError):
    """Training diverged: a loss is NaN or infinite."""

    kind = "non-finite loss"
