"""Queue of trials that may depend on others (`from_arm`)."""

import itertools
from collections.abc import Sequence

from orchestrator.results.store import Store
from orchestrator.study.planned_trial import PlannedTrial


class DependencyQueue:
    """The missing trials of a run in the study's order. A `TrialSource`.

    A trial with a dependency waits until that trial is completed.
    """

    knows_all = True
    sees_every_epoch = False

    def __init__(self, trials: Sequence[PlannedTrial], store: Store):
        self._store = store
        self._waiting = {trial.record.name: trial for trial in trials}
        self._unfinished = set(self._waiting)

    @property
    def waiting(self) -> list[PlannedTrial]:
        """Return the trials that have not been started."""
        return list(self._waiting.values())

    def next(self) -> PlannedTrial | None:
        """Return the first trial that can start now; None if there is none."""
        for name, trial in self._waiting.items():
            if trial.record.source not in self._unfinished:
                return self._waiting.pop(name)
        return None

    @property
    def exhausted(self) -> bool:
        """Return whether `next` will never return a trial again."""
        return not self._waiting

    def observe(self, name: str) -> bool:
        """Note that a trial has finished an epoch; none is stopped early."""
        return False

    def settle(self, name: str) -> list[str]:
        """Note that a trial has ended: completed, failed or interrupted.

        Returns:
            The names of trials that are blocked because of it.
        """
        if self._store.is_done(name):
            self._unfinished.discard(name)
            return []
        users = []
        for trial in self._waiting.values():
            if trial.record.source == name:
                users.append(trial.record.name)
        for user in users:
            del self._waiting[user]
        blocked = list(users)
        for user in users:
            blocked += self.settle(user)
        return blocked


def longest_first(trials: list[PlannedTrial]) -> list[PlannedTrial]:
    """Sort the trials of each seed and setting, the longest first.

    All slots then end at about the same time, and early seeds are still completed first.
    """
    ordered: list[PlannedTrial] = []
    for _, group in itertools.groupby(trials, _seed_and_setting):
        ordered += sorted(group, key=_length, reverse=True)
    return ordered


def _seed_and_setting(trial: PlannedTrial) -> tuple[int, str | None]:
    return trial.record.seed, trial.record.setting


def _length(trial: PlannedTrial) -> int:
    """Return the epochs of training, summed over the trial's networks."""
    return trial.config.train.epochs * trial.config.method.networks
