"""Source of a run's trials: the common interface of studies and searches."""

from typing import Protocol

from orchestrator.study.planned_trial import PlannedTrial


class TrialSource(Protocol):
    """Provides trials one by one, and receives their epochs and ends.

    Ray, local processes and shards use it in the same way. Implementations: `DependencyQueue` (a
    fixed list of trials, some of which may depend on others), `SequentialQueue` (trials are added
    until each question is decided), `SearchPool`, and `SharedSource` for two executors at once.
    """

    knows_all: bool
    """Whether every trial is known from the start.

    If not, the next trial depends on the results so far. It is requested only when a slot is free,
    so that its choice uses as many results as possible.
    """
    sees_every_epoch: bool
    """Whether `observe` must be called for every epoch; otherwise several may be combined."""

    @property
    def waiting(self) -> list[PlannedTrial]:
        """Return the known trials that have not been started."""
        ...

    def next(self) -> PlannedTrial | None:
        """Return the next trial to train; None if there is none now, or none left (`exhausted`)."""
        ...

    @property
    def exhausted(self) -> bool:
        """Return whether `next` will never return a trial again."""
        ...

    def observe(self, name: str) -> bool:
        """Note that a trial has finished an epoch; return whether it is to be stopped."""
        ...

    def settle(self, name: str) -> list[str]:
        """Note that a trial has ended: completed, failed or interrupted.

        Returns:
            The names of trials that are blocked because of it.
        """
        ...
