"""Running trials on Ray Tune: resources, reuse of actors, retries, interrupts.

Tune schedules and retries; it owns nothing. Each trial's own folder is the truth, Tune's folder of a run is temporary,
and nothing that Tune returns is used. Nor is `Tuner.restore`: it resumes from the newest checkpoint that its last
snapshot knew, which may be far behind the newest on disk, and it cannot extend a study.
"""

import shutil
import sys
from dataclasses import replace
from typing import Any

import ray
from ray import tune

from orchestrator.display.live import View
from orchestrator.ray_backend.callbacks import Progress
from orchestrator.ray_backend.interrupts import Stop, interruptible, watched
from orchestrator.ray_backend.resources import Node, requested
from orchestrator.ray_backend.tune_adapters import Proposals, Stopping
from orchestrator.results.store import Store
from orchestrator.scheduling.dependency_queue import Queue
from orchestrator.scheduling.disk_space import Room
from orchestrator.search.pool import Searches
from orchestrator.study.load import Study
from orchestrator.study.planned_trial import PlannedTrial
from trainable.config.runtime import Machine
from trainable.ray_trainable import DivideMixTrainable, plain

REPORT_EVERY = 1.0
"""Seconds of training between two reports to Tune; every epoch is in the trial's folder all the same."""


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
