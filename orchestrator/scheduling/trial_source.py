"""Where the trials of a run come from: what a study's missing trials and a search's proposals have in common."""

from typing import Protocol

from orchestrator.study.planned_trial import PlannedTrial


class TrialSource(Protocol):
    """Gives out trials one by one, and hears how they go. Ray, local processes and shards drive it alike.

    Implementations: `DependencyQueue` (a fixed list, some of which may depend on others) and `SearchPool`.
    """

    knows_all: bool
    """Whether every trial is known from the start. If not, the next one is chosen by the results so far, and asked for
    only when a slot is free: asked for earlier, it would know less."""
    sees_every_epoch: bool
    """Whether `observe` has to hear of every epoch; else several short ones may be reported together."""

    @property
    def waiting(self) -> list[PlannedTrial]:
        """Trials that are certain to come, and have not been given out."""
        ...

    def next(self) -> PlannedTrial | None:
        """The next trial to train; None: there is none now, or none any more (`exhausted`)."""
        ...

    @property
    def exhausted(self) -> bool:
        """Whether `next` will never give a trial again."""
        ...

    def observe(self, name: str) -> bool:
        """A trial has finished an epoch: whether it is to be stopped."""
        ...

    def settle(self, name: str) -> list[str]:
        """A trial has ended, well, badly, or interrupted; the names of those that cannot begin any more for it."""
        ...
