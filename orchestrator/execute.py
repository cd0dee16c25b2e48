"""Running trials on Ray Tune: resources, reuse of actors, retries, interrupts.

Tune schedules and retries; it owns nothing. Each trial's own folder is the truth, Tune's folder of a run is temporary,
and nothing that Tune returns is used. Nor is `Tuner.restore`: it resumes from the newest checkpoint that its last
snapshot knew, which may be far behind the newest on disk, and it cannot extend a study.
"""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import ray
from ray import tune

from orchestrator.expand import PlannedTrial
from orchestrator.monitor import View
from orchestrator.store import Store
from orchestrator.study import Resources, Study
from trainable.machine import Machine
from trainable.tune import DivideMixTrainable, plain


class CannotRun(Exception):
    """The machine cannot give what one trial asks for."""


def execute(
    study: Study, store: Store, todo: list[PlannedTrial], machine: Machine, view: View
) -> signal.Signals | None:
    """Run the trials in the Ray that is up. Returns the signal that stopped it early, if one did.

    Raises:
        CannotRun: one trial asks for more CPUs or GPUs than there are.
    """
    cpu, gpu = requested(study.file.resources, ray.cluster_resources())
    trials = [
        {
            "name": trial.record.name,
            "trial": trial.config.model_dump(),
            "folder": str(store.folder(trial.record).path.resolve()),
            "machine": plain(machine),
            "cpu": cpu,
            "gpu": gpu,
        }
        for trial in todo
    ]
    scratch = store.root.resolve() / ".tune"
    shutil.rmtree(scratch, ignore_errors=True)
    tuner = tune.Tuner(
        DivideMixTrainable,
        param_space={"run": tune.grid_search(trials)},
        tune_config=tune.TuneConfig(max_concurrent_trials=study.file.run.max_concurrent_trials, reuse_actors=True),
        run_config=tune.RunConfig(
            name="run",
            storage_path=str(scratch),
            callbacks=[Progress(view)],
            failure_config=tune.FailureConfig(max_failures=study.file.run.max_failures),
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            verbose=0,
        ),
    )
    try:
        with interruptible() as received, view:
            tuner.fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return received[0] if received else None


def requested(resources: Resources, available: dict[str, float]) -> tuple[float, float]:
    """(CPUs, GPUs) of one trial. Raises CannotRun where waiting would never end."""
    cpus, gpus = available.get("CPU", 0), available.get("GPU", 0)
    gpu = (1.0 if gpus else 0.0) if resources.gpu == "auto" else resources.gpu
    for name, wanted, there in (("cpu", resources.cpu, cpus), ("gpu", gpu, gpus)):
        if wanted > there:
            raise CannotRun(f"resources.{name}: a trial asks for {wanted:g}, and this machine has {there:g}")
    return resources.cpu, gpu


@contextmanager
def interruptible() -> Iterator[list[signal.Signals]]:
    """Turn the first SIGINT or SIGTERM into Tune's graceful stop (its SIGUSR1), the second into an immediate one.

    Must be entered after `ray.init`: before it, Ray's own SIGTERM handler aborts the process.
    """
    received: list[signal.Signals] = []

    def stop(number: int, frame: FrameType | None) -> None:
        received.append(signal.Signals(number))
        if len(received) > 1:
            raise SystemExit(128 + number)
        os.kill(os.getpid(), signal.SIGUSR1)

    def too_early(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + received[0])  # Tune has not yet put its own handler there

    handlers = {signal.SIGINT: stop, signal.SIGTERM: stop, signal.SIGUSR1: too_early}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class Progress(tune.Callback):
    """Tells the view what Tune reports."""

    def __init__(self, view: View | None):
        self.view = view

    def __getstate__(self) -> dict[str, Any]:
        return {"view": None}  # Tune pickles its callbacks; a terminal cannot be pickled

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial has a slot."""
        if self.view:
            self.view.started(_name(trial))

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        """A trial has finished an epoch."""
        if self.view and "epoch" in result:
            self.view.epoch(_name(trial), result["epoch"])

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial has ended."""
        if self.view:
            self.view.ended(_name(trial))

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial has used up its attempts."""
        if self.view:
            self.view.ended(_name(trial))


def _name(trial: Any) -> str:
    return trial.config["run"]["name"]
