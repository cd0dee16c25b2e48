"""Errors that end a trial and that a retry would not fix.

Each is written to `failure.json` with its kind.
"""


class TrialError(Exception):
    """A trial cannot continue; the message states the cause and the remedy."""

    kind = "error"


class TimedOut(TrialError):
    """The trial has trained for longer than `run.trial_timeout`."""

    kind = "timeout"


class DataError(TrialError):
    """The data is missing, unreadable or not in the expected format."""

    kind = "data"


class NonFiniteLoss(TrialError):
    """Training diverged: a loss is NaN or infinite."""

    kind = "non-finite loss"
