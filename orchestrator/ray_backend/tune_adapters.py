"""A `TrialSource` as Ray Tune sees it: where trials come from, and who stops them.

Ray's own OptunaSearch keeps its state in Tune's snapshots, which lag behind, and crashes or counts
twice after a kill; its schedulers forget everything. Here both only pass on what the source says,
and hold nothing worth saving.
"""

from collections.abc import Callable
from typing import Any

from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from orchestrator.scheduling.trial_source import TrialSource
from orchestrator.study.planned_trial import PlannedTrial
from trainable.trial.job import TrialJob


class SourceSearcher(Searcher):  # type: ignore[misc] # untyped Ray
    """Gives Tune the trials of a source. How many at once, `max_concurrent_trials` of Tune says."""

    def __init__(
        self, source: TrialSource | None, job_of: Callable[[PlannedTrial], TrialJob] | None
    ):
        super().__init__()
        self.source = source
        self.job_of = job_of

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """The next trial's configuration; None while what is left waits for other trials."""
        assert self.source is not None
        assert self.job_of is not None
        planned = self.source.next()
        if planned is None:
            return Searcher.FINISHED if self.source.exhausted else None
        return self.job_of(planned).to_config()

    def on_trial_complete(self, trial_id: str, result: Any = None, error: bool = False) -> None:
        """Nothing: what the trial's end means, its folder says."""

    def save(self, checkpoint_path: str) -> None:
        """Nothing: the journal and the folders are there already."""

    def restore(self, checkpoint_path: str) -> None:
        """Nothing is ever restored from Tune."""

    def __getstate__(self) -> dict[str, Any]:
        return {"source": None, "job_of": None}  # Tune pickles it; a journal cannot be


class SourceScheduler(FIFOScheduler):  # type: ignore[misc] # untyped Ray
    """Stops a trial when its source says so."""

    def __init__(self, source: TrialSource | None):
        super().__init__()
        self.source = source

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """After an epoch."""
        assert self.source is not None
        if "epoch" in result:
            name = TrialJob.from_config(trial.config).name
            if self.source.observe(name):
                return str(TrialScheduler.STOP)
        return str(TrialScheduler.CONTINUE)

    def __getstate__(self) -> dict[str, Any]:
        return {"source": None}
