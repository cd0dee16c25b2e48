"""Running trials on Ray Tune: resources, reuse of actors, retries, interrupts.

Tune schedules and retries; it owns nothing. Each trial's own folder is the truth, Tune's folder of a run is temporary,
and nothing that Tune returns is used. Nor is `Tuner.restore`: it resumes from the newest checkpoint that its last
snapshot knew, which may be far behind the newest on disk, and it cannot extend a study.
"""

import math
import shutil
from dataclasses import replace

import ray
from ray import tune

from orchestrator.display.live import View
from orchestrator.ray_backend.callbacks import Progress
from orchestrator.ray_backend.interrupts import Stop, interruptible, watched
from orchestrator.ray_backend.resources import Node, requested
from orchestrator.ray_backend.tune_adapters import SourceScheduler, SourceSearcher
from orchestrator.results.store import Store
from orchestrator.scheduling.disk_space import Room
from orchestrator.scheduling.trial_source import TrialSource
from orchestrator.study.load import Study
from orchestrator.study.planned_trial import PlannedTrial
from trainable.config.runtime import Machine
from trainable.ray_trainable import DivideMixTrainable
from trainable.trial.job import TrialJob

REPORT_EVERY = 1.0
"""Seconds of training between two reports to Tune; every epoch is in the trial's folder all the same."""


def execute(study: Study, store: Store, source: TrialSource, machine: Machine, view: View) -> Stop:
    """Run the trials of a source in the Ray that is up, and say what stopped it early, if anything did.

    Raises:
        CannotRun: one trial asks for more CPUs or GPUs than any machine has.
    """
    nodes = alive_nodes()
    cpu, gpu = requested(study.file.resources, nodes)
    scratch = store.root.resolve() / ".tune"
    machine = replace(machine.sharing(gpu), shared_dir=scratch / "images")
    most = study.file.run.max_concurrent_trials or math.inf
    # A trial that is known anyway may wait for a slot in Tune: one may become free on a machine that joins later.
    fitting = math.inf if source.knows_all else sum(node.slots(cpu, gpu) for node in nodes)

    def job_of(trial: PlannedTrial) -> TrialJob:
        record = trial.record
        return TrialJob(
            config=trial.config,
            folder=store.folder(record).path.resolve(),
            machine=replace(machine, source_dir=store.source_dir(record)),
            study=study.name,
            setting=record.setting or "",
            arm=record.arm,
            seed=record.seed,
            cpu=cpu,
            gpu=gpu,
            report_every=0.0 if source.sees_every_epoch else REPORT_EVERY,
        )

    def settle(name: str) -> None:
        for ended in [name, *source.settle(name)]:
            view.ended(ended)

    stop = Stop()
    room = Room(store.root, source.waiting, study.file.run.max_concurrent_trials or 1)
    shutil.rmtree(scratch, ignore_errors=True)
    tuner = tune.Tuner(
        DivideMixTrainable,
        tune_config=tune.TuneConfig(
            search_alg=SourceSearcher(source, job_of, min(most, fitting)),
            scheduler=SourceScheduler(source),
            num_samples=-1,
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name="run",
            storage_path=str(scratch),
            callbacks=[Progress(view, stop, settle, room)],
            failure_config=tune.FailureConfig(max_failures=study.file.run.max_failures),
            checkpoint_config=tune.CheckpointConfig(
                checkpoint_frequency=0, checkpoint_at_end=False
            ),
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
        Node(
            node["NodeManagerHostname"],
            node["Resources"].get("CPU", 0),
            node["Resources"].get("GPU", 0),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]
