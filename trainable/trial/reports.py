"""What a trial reports to the process that runs the study."""

import time
from typing import Any

from trainable.errors import TrialError
from trainable.methods.base import Row
from trainable.storage import names
from trainable.trial.cost import space
from trainable.trial.session import Session

METRICS = ("epoch", names.TEST_ACCURACY, names.VALIDATION_ACCURACY, names.EPOCH_SECONDS)
"""What schedulers and the monitor need of a row."""


class Reporter:
    """Train a session from one report to the next; the rows themselves are in the trial's folder.

    A report costs about 5 ms, which counts where an epoch takes 100.

    Args:
        session: the trial.
        report_every: seconds of training between two reports; 0: one epoch.
    """

    def __init__(self, session: Session, report_every: float):
        self.session = session
        self.report_every = report_every
        self.row: Row = {}
        """The newest row since the report before; empty if there is none."""
        self._first = True

    def next(self) -> dict[str, Any]:
        """Train until the next report is due, and return it.

        Returns:
            `done`: whether the session has ended. `no_space`: why nothing more can be written, or
            None. `METRICS` of the newest row, if there is one. In the first report also `space`:
            bytes that the trial keeps, and bytes that it needs while it runs.
        """
        end = time.monotonic() + self.report_every
        self.row = self.session.advance() or {}
        while not self.session.finished and time.monotonic() < end:
            self.row = self.session.advance() or self.row
        report: dict[str, Any] = {"done": self.session.finished, "no_space": self.session.no_space}
        for metric in METRICS:
            if metric in self.row:
                report[metric] = self.row[metric]
        if self._first and self.session.trial:
            report["space"] = space(self.session.trial)
        self._first = False
        return report


def whole_report(session: Session) -> dict[str, Any]:
    """Train one epoch and report its whole row, to a scheduler that knows no trial folders.

    Returns:
        The row and `done`. If the trial was completed before, it is the last row.

    Raises:
        TrialError: the trial has failed, and a retry would fail again.
        OSError: the disk is full or read-only.
    """
    row = session.advance()
    if session.no_space:
        raise OSError(session.no_space)
    if row is None or session.finished:
        failure = session.folder.failure
        if failure is not None:
            raise TrialError(f"{failure['kind']}: {failure['message']}")
    if row is None:
        row = session.folder.rows()[-1]
    return {**row, "done": session.finished}
