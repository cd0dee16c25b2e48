"""A source of trials from which two executors draw at the same time, or one after the other."""

import threading

from orchestrator.scheduling.trial_source import TrialSource
from orchestrator.study.planned_trial import PlannedTrial


class SharedSource:
    """Gives out the trials of a source to several threads. A `TrialSource`.

    Args:
        source: the trials.
        slots: most trials at once while `limited` is true, whoever trains them.
    """

    def __init__(self, source: TrialSource, slots: int):
        self.knows_all = source.knows_all
        self.sees_every_epoch = source.sees_every_epoch
        self.limited = True
        self.first_epoch = threading.Event()
        """Set once a trial has finished an epoch."""
        self.lock = threading.RLock()
        self._source = source
        self._slots = slots
        self._running: dict[str, PlannedTrial] = {}
        self._returned: list[PlannedTrial] = []

    @property
    def waiting(self) -> list[PlannedTrial]:
        """Return the known trials that have not been started."""
        with self.lock:
            return [*self._returned, *self._source.waiting]

    def take_back(self) -> None:
        """Give out again what was given to an executor that has died."""
        with self.lock:
            self._returned += self._running.values()
            self._running.clear()
            self.limited = False

    def next(self) -> PlannedTrial | None:
        """Return the next trial to train; None if there is none now, or no slot is free."""
        with self.lock:
            if self.limited and len(self._running) >= self._slots:
                return None
            trial = self._returned.pop(0) if self._returned else self._source.next()
            if trial is not None:
                self._running[trial.record.name] = trial
            return trial

    @property
    def exhausted(self) -> bool:
        """Return whether `next` will never return a trial again."""
        with self.lock:
            return not self._returned and self._source.exhausted

    def observe(self, name: str) -> bool:
        """Note that a trial has finished an epoch; return whether it is to be stopped."""
        self.first_epoch.set()
        with self.lock:
            return self._source.observe(name)

    def settle(self, name: str) -> list[str]:
        """Note that a trial has ended; return the names of trials blocked because of it."""
        with self.lock:
            self._running.pop(name, None)
            return self._source.settle(name)
