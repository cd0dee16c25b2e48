"""Run trials on Ray Tune: resources, reuse of actors, retries, interrupts.

Tune schedules and retries; it owns nothing. Trial folders are the source of truth, Tune's folder of
a run is temporary, and nothing that Tune returns is used. Nor is `Tuner.restore`: it resumes from
the newest checkpoint that its last snapshot knew, which may be far behind the newest on disk, and
it cannot extend a study.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import ray
from ray import tune

from orchestrator.display.live import View
from orchestrator.execution.interrupts import (
    Stop,
    StopAsked,
    ask_to_stop,
    interruptible,
    stoppable_before_tune,
    watched,
)
from orchestrator.execution.jobs import Jobs, report_interval
from orchestrator.execution.progress import Progress
from orchestrator.execution.resources import Node, requested
from orchestrator.ray_backend.callbacks import ProgressCallback
from orchestrator.ray_backend.node_watch import watched_nodes
from orchestrator.ray_backend.tune_adapters import SourceScheduler, SourceSearcher
from orchestrator.results.store import Store
from orchestrator.scheduling.disk_space import Room
from orchestrator.scheduling.trial_source import TrialSource
from orchestrator.study.load import Study
from trainable.config.runtime import Machine
from trainable.ray_trainable import DivideMixTrainable

WAITING = 200
"""Trials that Tune may be given at once where all are known, as many as Tune's own default: they
wait there for slots, some of which may be on machines that join later."""


def execute(study: Study, store: Store, source: TrialSource, machine: Machine, view: View) -> Stop:
    """Run the trials of a source in the Ray that is up.

    Returns:
        What stopped the run early, if anything did.

    Raises:
        CannotRun: one trial asks for more CPUs or GPUs than any machine has.
    """
    stop = Stop()
    room = Room(store.root, source.waiting, study.file.run.max_concurrent_trials or 1)
    progress = Progress(view, source, room, stop, ask_to_stop)
    with view, watched(view, study.file.run.stall_timeout):
        train_on_ray(study, store, source, machine, progress)
    return stop


def train_on_ray(
    study: Study, store: Store, source: TrialSource, machine: Machine, progress: Progress
) -> None:
    """Run the trials of a source in the Ray that is up, until they have ended or are to stop.

    Raises:
        CannotRun: one trial asks for more CPUs or GPUs than any machine has.
    """
    nodes = alive_nodes()
    cpu, gpu = requested(study.file.resources, nodes)
    scratch = store.root.resolve() / ".tune"
    machine = replace(machine.sharing(gpu), shared_dir=scratch / "images")
    jobs = Jobs(study, store, machine, cpu, gpu, report_interval(source))
    at_once = WAITING
    if not source.knows_all:
        at_once = sum(node.slots(cpu, gpu) for node in nodes)
    at_once = min(at_once, study.file.run.max_concurrent_trials or at_once)

    stop = progress.stop

    def died() -> None:
        if stop.dead is not None:
            return
        stop.dead = "Ray has died on this machine, for instance for want of memory"
        ask_to_stop()

    shutil.rmtree(scratch, ignore_errors=True)
    tuner = tune.Tuner(
        DivideMixTrainable,
        tune_config=tune.TuneConfig(
            search_alg=SourceSearcher(source, jobs.of),
            scheduler=SourceScheduler(source),
            max_concurrent_trials=at_once,
            num_samples=-1,
            reuse_actors=True,
        ),
        run_config=_run_config(study, scratch, ProgressCallback(progress, died)),
    )
    try:
        # Entered after `ray.init`, which puts a handler of SIGTERM in place that aborts.
        with stoppable_before_tune(), interruptible(stop, ask_to_stop), watched_nodes(died):
            if not stop.wanted:
                tuner.fit()
    except StopAsked:
        pass
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _run_config(study: Study, scratch: Path, progress: ProgressCallback) -> tune.RunConfig:
    """Tune's settings of a run: retries are its own, checkpoints are the trials'."""
    return tune.RunConfig(
        name="run",
        storage_path=str(scratch),
        callbacks=[progress],
        failure_config=tune.FailureConfig(max_failures=study.file.run.max_failures),
        checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
        verbose=0,
    )


def alive_nodes() -> list[Node]:
    """The machines of the Ray that is up."""
    found = []
    for node in ray.nodes():
        if node["Alive"]:
            amounts = node["Resources"]
            cpus = amounts.get("CPU", 0)
            gpus = amounts.get("GPU", 0)
            found.append(Node(node["NodeManagerHostname"], cpus, gpus))
    return found
