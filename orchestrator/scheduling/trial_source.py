"""Where a run's trials come from: what a study's trials and a search's proposals share."""

from typing import Protocol

from orchestrator.study.planned_trial import PlannedTrial


class TrialSource(Protocol):
    """Gives out trials one by one, and is told of their epochs and ends.

    Ray, local processes and shards use it in the same way. Implementations: `DependencyQueue` (a
    fixed list of trials, some of which may depend on others) and `SearchPool`.
    """

    knows_all: bool
    """Whether every trial is known from the start.

    If not, the next one is chosen by the results so far. It is asked for only when a slot is free:
    asked for earlier, the choice would know fewer results.
    """
    sees_every_epoch: bool
    """Whether `observe` must be called for every epoch; else several may be reported together."""

    @property
    def waiting(self) -> list[PlannedTrial]:
        """Return the trials that are certain to come, and have not been given out."""
        ...

    def next(self) -> PlannedTrial | None:
        """Return the next trial to train; None if there is none now, or no more (`exhausted`)."""
        ...

    @property
    def exhausted(self) -> bool:
        """Return whether `next` will never give a trial again."""
        ...

    def observe(self, name: str) -> bool:
        """Note that a trial has finished an epoch; return whether it is to be stopped."""
        ...

    def settle(self, name: str) -> list[str]:
        """Note that a trial has ended: completed, failed or interrupted.

        Returns:
            The names of trials that can no longer begin because of it.
        """
        ...
