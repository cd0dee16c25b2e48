"""Running trials on Ray Tune: resources, reuse of actors, retries, interrupts.

Tune schedules and retries; it owns nothing. Each trial's own folder is the truth, Tune's folder of a run is temporary,
and nothing that Tune returns is used. Nor is `Tuner.restore`: it resumes from the newest checkpoint that its last
snapshot knew, which may be far behind the newest on disk, and it cannot extend a study.
"""

import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import ray
from ray import tune

from orchestrator.expand import PlannedTrial
from orchestrator.monitor import loud
from orchestrator.queue import Queue
from orchestrator.resources import Node, requested
from orchestrator.room import Room
from orchestrator.search_tune import Proposals, Stopping
from orchestrator.searches import Searches
from orchestrator.store import Store
from orchestrator.study import Study
from orchestrator.view import View
from trainable.config.runtime import Machine
from trainable.ray_trainable import DivideMixTrainable, plain
from trainable.storage.trial_folder import TrialFolder

STALLED = 1
"""Exit code of a run in which nothing happened any more."""

REPORT_EVERY = 1.0
"""Seconds of training between two reports to Tune; every epoch is in the trial's folder all the same."""


@dataclass
class Stop:
    """Why a run ended before its trials did."""

    signal: int | None = None
    no_space: str | None = None


def execute(study: Study, store: Store, work: list[PlannedTrial] | Searches, machine: Machine, view: View) -> Stop:
    """Run trials, or what searches propose, in the Ray that is up, and say what stopped it early, if anything did.

    Raises:
        CannotRun: one trial asks for more CPUs or GPUs than any machine has.
    """
    nodes = alive_nodes()
    cpu, gpu = requested(study.file.resources, nodes)
    scratch = store.root.resolve() / ".tune"
    machine = replace(machine.sharing(gpu), shared_dir=scratch / "images")

    def described(trial: PlannedTrial) -> dict[str, Any]:
        return {
            "name": trial.record.name,
            "trial": trial.config.model_dump(),
            "folder": str(store.folder(trial.record).path.resolve()),
            "machine": plain(replace(machine, source_dir=store.source_dir(trial.record))),
            "cpu": cpu,
            "gpu": gpu,
            "report_every": 0.0 if isinstance(work, Searches) else REPORT_EVERY,  # a pruner sees every epoch
            "place": {
                "study": study.name,
                "setting": trial.record.setting or "",
                "arm": trial.record.arm,
                "seed": trial.record.seed,
            },
        }

    most = study.file.run.max_concurrent_trials
    slots = min(most or sys.maxsize, sum(node.slots(cpu, gpu) for node in nodes))
    trials: dict[str, Any] = {}
    ended, room = None, None if isinstance(work, Searches) else Room(store.root, work, most or 1)
    if isinstance(work, Searches):
        ended = work.settle
        how = tune.TuneConfig(
            search_alg=Proposals(work, described, slots), scheduler=Stopping(work), num_samples=-1, reuse_actors=True
        )
    elif any(trial.record.source for trial in work):
        queue = Queue(work, store)
        how = tune.TuneConfig(search_alg=Proposals(queue, described, slots), num_samples=-1, reuse_actors=True)

        def ended(name: str) -> None:
            for each in [name, *queue.settle(name)]:
                view.ended(each)
    else:
        trials = {"run": tune.grid_search([described(trial) for trial in work])}
        how = tune.TuneConfig(max_concurrent_trials=most, reuse_actors=True)
    stop = Stop()
    shutil.rmtree(scratch, ignore_errors=True)
    tuner = tune.Tuner(
        DivideMixTrainable,
        param_space=trials,
        tune_config=how,
        run_config=tune.RunConfig(
            name="run",
            storage_path=str(scratch),
            callbacks=[Progress(view, store, stop, ended, room)],
            failure_config=tune.FailureConfig(max_failures=study.file.run.max_failures),
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            verbose=0,
        ),
    )
    try:
        with interruptible(stop), view, watched(view, study.file.run.stall_timeout):
            tuner.fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return stop


def alive_nodes() -> list[Node]:
    """The machines of the Ray that is up."""
    return [
        Node(node["NodeManagerHostname"], node["Resources"].get("CPU", 0), node["Resources"].get("GPU", 0))
        for node in ray.nodes()
        if node["Alive"]
    ]


@contextmanager
def interruptible(stop: Stop) -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into Tune's graceful stop, the second into an immediate one.

    Must be entered after `ray.init`: before it, Ray's own SIGTERM handler aborts the process.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.signal is not None:
            os._exit(128 + number)  # Ray's processes follow their driver within seconds
        stop.signal = number
        stop_gracefully()

    def too_early(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + (stop.signal or signal.SIGINT))  # Tune has not yet put its own handler there

    handlers = {signal.SIGINT: on_signal, signal.SIGTERM: on_signal, signal.SIGUSR1: too_early}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_gracefully() -> None:
    """Tune treats SIGUSR1 as a request to stop: it closes every trial, which keeps its last epoch, and returns."""
    os.kill(os.getpid(), signal.SIGUSR1)


@contextmanager
def watched(view: View, timeout: float) -> Iterator[None]:
    """End the process if no trial reports anything for `timeout` seconds: Tune may then be waiting for ever."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(min(timeout / 4, 5.0)):
            if (silence := view.silence) > timeout:
                loud(view.console).print(
                    f"\nno epoch from any trial for {silence:.0f} s (run.stall_timeout: {timeout:g}): stopped.\n"
                    f"last seen: {view.last_seen or 'no trial had started'}\n"
                    "Run it again: finished trials stay, the others go on from their checkpoints.",
                    markup=False,
                )
                os._exit(STALLED)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


class Progress(tune.Callback):
    """Tells the view what Tune reports, and writes down the deaths that a trial could not write down itself."""

    def __init__(
        self,
        view: View | None,
        store: Store | None,
        stop: Stop,
        settle: Callable[[str], None] | None = None,
        room: Room | None = None,
    ):
        self.view, self.store, self.stop, self.settle, self.room = view, store, stop, settle, room

    def __getstate__(self) -> dict[str, Any]:  # Tune pickles its callbacks; a terminal cannot be
        return {"view": None, "store": None, "stop": Stop(), "settle": None, "room": None}

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
        if self.room and "space" in result:
            problem = problem or self.room.lacking(_name(trial), *result["space"])
        if problem and self.stop.no_space is None:
            self.stop.no_space = problem
            stop_gracefully()

    def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial has ended."""
        self._ended(trial)

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """A trial has used up its attempts."""
        if self.view and self.store:
            note_death(TrialFolder(trial.config["run"]["folder"]), _error(trial))
        self._ended(trial)

    def _ended(self, trial: Any) -> None:
        if self.settle:
            self.settle(_name(trial))
        if self.view:
            self.view.ended(_name(trial))


def note_death(folder: TrialFolder, error: str) -> None:
    """Write `failure.json` for a trial whose process died without a word, by the memory monitor for instance."""
    if folder.summary is not None or folder.failure is not None:
        return
    lines = [line for line in error.splitlines() if line.strip()][1:]  # Tune's first line is "Failure # 1 (…)"
    kind = "out of memory" if "low on memory" in error else "process died"  # Ray's memory monitor
    folder.claim()
    folder.fail(kind, lines[0] if lines else "its process died", traceback=error, retry=False)
    folder.release()


def _error(trial: Any) -> str:
    """What Tune knows of a trial's death; at this moment it lies in Tune's local folder."""
    try:
        return Path(trial.error_file).read_text()
    except (OSError, TypeError):
        return ""


def _name(trial: Any) -> str:
    return trial.config["run"]["name"]
