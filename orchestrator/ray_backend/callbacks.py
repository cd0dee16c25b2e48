"""What Tune reports of trials, passed on to the view.

Deaths that a trial could not write down itself are written down here.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ray import tune

from orchestrator.display.live import View
from orchestrator.ray_backend.interrupts import Stop, stop_gracefully
from orchestrator.scheduling.disk_space import Room
from trainable.storage.trial_folder import TrialFolder
from trainable.trial.job import TrialJob


class Progress(tune.Callback):  # type: ignore[misc] # untyped Ray
    """Tells the view what Tune reports, and writes down deaths that a trial could not write down.

    Args:
        view: shows the run; None in the copy that Tune pickles.
        stop: told why the run has to end early.
        settle: called with a trial's name when it has ended.
        room: compares the sizes that trials report with the free disk space.
    """

    def __init__(
        self,
        view: View | None,
        stop: Stop,
        settle: Callable[[str], None] | None = None,
        room: Room | None = None,
    ):
        self.view = view
        self.stop = stop
        self.settle = settle
        self.room = room

    def __getstate__(self) -> dict[str, Any]:  # Tune pickles its callbacks; a terminal cannot be
        return {"view": None, "stop": Stop(), "settle": None, "room": None}

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial has a slot."""
        if self.view:
            self.view.started(_name(trial))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A trial has finished an epoch."""
        if self.view and "epoch" in result:
            self.view.epoch(_name(trial), result)
        problem = result.get("no_space")
        if self.room and not problem and "space" in result:
            problem = self.room.lacking(_name(trial), *result["space"])
        if problem and self.stop.no_space is None:
            self.stop.no_space = problem
            stop_gracefully()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial has ended."""
        self._ended(trial)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial has used up its attempts."""
        if self.view:
            job = TrialJob.from_config(trial.config)
            note_death(TrialFolder(job.folder), _error(trial))
        self._ended(trial)

    def _ended(self, trial: Any) -> None:
        if self.settle:
            self.settle(_name(trial))


def note_death(folder: TrialFolder, error: str) -> None:
    """Write `failure.json` for a trial whose process died before it could.

    Ray's memory monitor kills processes like that, for instance.
    """
    if folder.summary is not None or folder.failure is not None:
        return
    kind = "process died"
    if "low on memory" in error:  # Ray's memory monitor
        kind = "out of memory"
    message = "its process died"
    lines = [line for line in error.splitlines() if line.strip()]
    if len(lines) > 1:  # Tune's first line is "Failure # 1 (…)"
        message = lines[1]
    folder.claim()
    folder.fail(kind, message, traceback=error, retry=False)
    folder.release()


def _error(trial: Any) -> str:
    """What Tune knows of a trial's death; at this moment it is in Tune's local folder."""
    try:
        return Path(trial.error_file).read_text()
    except (OSError, TypeError):
        return ""


def _name(trial: Any) -> str:
    return TrialJob.from_config(trial.config).name
