"""The Ray Tune side of a search: where trials come from, and who stops them.

Ray's own OptunaSearch keeps its state in Tune's snapshots, which lag behind, and crashes or counts twice after a kill;
its schedulers forget everything. Here both only pass on what the search says, and hold nothing worth saving.
"""

from collections.abc import Callable
from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from orchestrator.scheduling.dependency_queue import Queue
from orchestrator.search.pool import Searches
from orchestrator.study.planned_trial import PlannedTrial


class Proposals(Searcher):
    """Gives Tune the next trial when a slot is free: asked earlier, a search's proposal would know less."""

    def __init__(self, work: Searches | Queue | None, described: Callable[[PlannedTrial], dict[str, Any]], slots: int):
        super().__init__()
        self.work, self.described, self.slots = work, described, slots
        self._live: set[str] = set()

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial's configuration; None while all slots are taken, or what is left waits for other trials."""
        assert self.work is not None
        if len(self._live) >= self.slots:
            return None
        planned = self.work.next()
        if planned is None:
            return Searcher.FINISHED if self.work.exhausted else None
        self._live.add(trial_id)
        return {"run": self.described(planned)}

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """A slot is free. What the trial's end means, its folder says."""
        self._live.discard(trial_id)

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the journal and the folders are there already."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing is ever restored from Tune."""

    def __getstate__(self) -> dict[str, Any]:
        return {"work": None, "described": None, "slots": 0}  # Tune pickles it; a journal cannot be


class Stopping(FIFOScheduler):
    """Stops a trial when the search's pruner says so."""

    def __init__(self, searches: Searches | None):
        super().__init__()
        self.searches = searches

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """After an epoch."""
        assert self.searches is not None
        stop = "epoch" in result and self.searches.observe(trial.config["run"]["name"])
        return TrialScheduler.STOP if stop else TrialScheduler.CONTINUE

    def __getstate__(self) -> dict[str, Any]:
        return {"searches": None}
