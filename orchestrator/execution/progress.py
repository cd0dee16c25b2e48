"""What a run hears from its trials, whichever executor trains them.

Deaths that a trial could not write down itself are written down here.
"""

import threading
from collections.abc import Callable
from typing import Any

from orchestrator.display.live import View
from orchestrator.execution.interrupts import Stop
from orchestrator.scheduling.disk_space import Room
from orchestrator.scheduling.trial_source import TrialSource
from trainable.storage.trial_folder import TrialFolder


class Progress:
    """Pass what trials report on to the view and the source of trials.

    Args:
        view: shows the run.
        source: is told of each trial's end.
        room: compares the sizes that trials report with the free disk space.
        stop: told why the run has to end early.
        ask_to_stop: asks the executor to end the run once `stop` has a reason.

    Two executors may report at the same time.
    """

    def __init__(
        self,
        view: View,
        source: TrialSource,
        room: Room,
        stop: Stop,
        ask_to_stop: Callable[[], None],
    ):
        self.view = view
        self.source = source
        self.room = room
        self.stop = stop
        self.ask_to_stop = ask_to_stop
        self._lock = threading.RLock()

    def started(self, name: str) -> None:
        """Note that a trial has a slot."""
        with self._lock:
            self.view.started(name)

    def reported(self, name: str, report: dict[str, Any]) -> None:
        """Note a report of a trial: the newest row's metrics, and what it says of the disk."""
        with self._lock:
            if "epoch" in report:
                self.view.epoch(name, report)
            problem = report.get("no_space")
            if not problem and "space" in report:
                problem = self.room.lacking(name, *report["space"])
            if self.stop.wanted:
                return
            self.stop.no_space = problem
            self.stop.lost = report.get("lost")
            if self.stop.wanted:
                self.ask_to_stop()

    def ended(self, name: str) -> None:
        """Note that a trial has ended: completed, failed or interrupted.

        If what trained it has died, it has not ended: it is given out again.
        """
        if self.stop.dead:
            return
        with self._lock:
            for each in [name, *self.source.settle(name)]:
                self.view.ended(each)


def note_death(folder: TrialFolder, message: str, details: str = "", retry: bool = False) -> None:
    """Write `failure.json` for a trial whose process died before it could.

    Args:
        folder: the trial's folder.
        message: what is known of the death, in one line.
        details: all that is known of it.
        retry: whether another attempt may help.
    """
    if folder.summary is not None:
        return
    kind = "process died"
    if "low on memory" in details:  # Ray's memory monitor
        kind = "out of memory"
    folder.claim()
    folder.fail(kind, message, traceback=details, retry=retry)
    folder.release()
