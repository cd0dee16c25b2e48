"""Running trials on Ray Tune: resources, reuse of actors, retries, interrupts.

Tune schedules and retries; it owns nothing. Trial folders are the source of truth, Tune's folder of
a run is temporary, and nothing that Tune returns is used. Nor is `Tuner.restore`: it resumes from
the newest checkpoint that its last snapshot knew, which may be far behind the newest on disk, and
it cannot extend a study.
"""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

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

WAITING = 200
"""Trials that Tune may be given at once where all are known, as many as Tune's own default: they
wait there for slots, some of which may be on machines that join later."""

REPORT_EVERY = 1.0
"""Seconds of training between two reports to Tune; each epoch is in the trial's folder anyway."""


@dataclass(frozen=True)
class _Jobs:
    """Makes the jobs of one run's trials.

    Args:
        study: names the jobs.
        store: knows the trials' folders.
        machine: settings of every trial.
        cpu, gpu: amounts that one trial takes.
        report_every: seconds of training between two reports to Tune; 0 is every epoch.
    """

    study: Study
    store: Store
    machine: Machine
    cpu: float
    gpu: float
    report_every: float

    def of(self, trial: PlannedTrial) -> TrialJob:
        """The job of a trial, as Tune passes it on."""
        record = trial.record
        return TrialJob(
            config=trial.config,
            folder=self.store.folder(record).path.resolve(),
            machine=replace(self.machine, source_dir=self.store.source_dir(record)),
            study=self.study.name,
            setting=record.setting or "",
            arm=record.arm,
            seed=record.seed,
            cpu=self.cpu,
            gpu=self.gpu,
            report_every=self.report_every,
        )


def execute(study: Study, store: Store, source: TrialSource, machine: Machine, view: View) -> Stop:
    """Run the trials of a source in the Ray that is up.

    Returns:
        What stopped the run early, if anything did.

    Raises:
        CannotRun: one trial asks for more CPUs or GPUs than any machine has.
    """
    nodes = alive_nodes()
    cpu, gpu = requested(study.file.resources, nodes)
    scratch = store.root.resolve() / ".tune"
    machine = replace(machine.sharing(gpu), shared_dir=scratch / "images")
    report_every = 0.0 if source.sees_every_epoch else REPORT_EVERY
    jobs = _Jobs(study, store, machine, cpu, gpu, report_every)
    at_once = WAITING
    if not source.knows_all:
        at_once = sum(node.slots(cpu, gpu) for node in nodes)
    at_once = min(at_once, study.file.run.max_concurrent_trials or at_once)

    def settle(name: str) -> None:
        for ended in [name, *source.settle(name)]:
            view.ended(ended)

    stop = Stop()
    room = Room(store.root, source.waiting, study.file.run.max_concurrent_trials or 1)
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
        run_config=_run_config(study, scratch, Progress(view, stop, settle, room)),
    )
    try:
        with interruptible(stop), view, watched(view, study.file.run.stall_timeout):
            tuner.fit()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return stop


def _run_config(study: Study, scratch: Path, progress: Progress) -> tune.RunConfig:
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
