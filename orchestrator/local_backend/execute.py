"""Run trials in processes of this machine: one process a slot, one trial after another.

The counterpart of `orchestrator.ray_backend.execute`, where Ray is not wanted or does not start.
Workers are forked from a server that has imported torch once, so a new one costs milliseconds.
"""

import contextlib
import multiprocessing
import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path
from typing import Any

from orchestrator.display.live import View
from orchestrator.execution.interrupts import Stop, interruptible, watched
from orchestrator.execution.jobs import ENDED, Jobs, report_interval
from orchestrator.execution.progress import Progress, note_death
from orchestrator.execution.resources import requested, this_machine, visible_gpus
from orchestrator.execution.socket_paths import folder_for_sockets
from orchestrator.results.store import Store
from orchestrator.scheduling.disk_space import Room
from orchestrator.scheduling.trial_source import TrialSource
from orchestrator.study.load import Study
from trainable.config.runtime import Machine
from trainable.storage.trial_folder import TrialFolder
from trainable.trial.job import TrialJob

WORKER = "orchestrator.local_backend.worker"
LONGEST_SOCKET = len("pymp-00000000/listener-00000000")
"""Length of the longest path of a socket of multiprocessing below the temporary folder, bytes."""
POLL_S = 0.2
"""Longest time until a signal is noticed."""


def execute(
    study: Study,
    store: Store,
    source: TrialSource,
    machine: Machine,
    view: View,
    at_most: int | None = None,
) -> Stop:
    """Run the trials of a source in local processes.

    Args:
        study: says what one trial takes, and how often a failed one is tried again.
        store: knows the trials' folders.
        source: gives out the trials.
        machine: settings of every trial.
        view: shows the run.
        at_most: number of processes; None: as many as fit, and as the study allows.

    Returns:
        What stopped the run early, if anything did.

    Raises:
        CannotRun: one trial asks for more CPUs or GPUs than this machine has.
    """
    stop = Stop()
    slots = slots_here(study, at_most)
    progress = Progress(view, source, Room(store.root, source.waiting, slots), stop, _nothing)
    with (
        local_processes(study, store, source, machine, progress, slots) as processes,
        interruptible(stop, end_workers=processes.kill),
        view,
        watched(view, study.file.run.stall_timeout, processes.kill),
    ):
        processes.train()
    return stop


def slots_here(study: Study, at_most: int | None = None) -> int:
    """Return how many trials this machine trains at once, `at_most` or as the study allows.

    Raises:
        CannotRun: one trial asks for more CPUs or GPUs than this machine has.
    """
    here = this_machine()
    slots = here.slots(*requested(study.file.resources, [here]))
    for limit in (study.file.run.max_concurrent_trials, at_most):
        slots = min(slots, limit or slots)
    return slots


@contextmanager
def local_processes(
    study: Study,
    store: Store,
    source: TrialSource,
    machine: Machine,
    progress: Progress,
    slots: int,
) -> Iterator["LocalProcesses"]:
    """Prepare processes that train; end them afterwards."""
    cpu, gpu = requested(study.file.resources, [this_machine()])
    # Before torch is imported, which reads it.
    os.environ.setdefault("OMP_NUM_THREADS", str(machine.threads))
    with tempfile.TemporaryDirectory() as shared:
        machine = replace(machine.sharing(gpu), shared_dir=Path(shared))
        jobs = Jobs(study, store, machine, cpu, gpu, report_interval(source))
        workers = Workers(_gpus_of_slots(slots, gpu))
        processes = LocalProcesses(source, jobs, progress, workers, study.file.run.max_failures)
        try:
            yield processes
        finally:
            processes.kill()
            workers.close()


def _nothing() -> None:
    """The loop looks at the `Stop` itself."""


def _gpus_of_slots(slots: int, gpu: float) -> list[str | None]:
    """Return the GPUs of each slot: whole ones of its own, or a part of one that others share."""
    if not gpu:
        return [None] * slots
    names = visible_gpus()
    if gpu >= 1:
        each = int(gpu)
        return [",".join(names[slot * each : (slot + 1) * each]) for slot in range(slots)]
    sharing = int(1 / gpu + 1e-9)
    # Parts of several GPUs do not add up to another slot.
    return [names[slot // sharing] for slot in range(min(slots, sharing * len(names)))]


@dataclass
class Worker:
    """A process that trains, and its current job."""

    gpus: str | None
    process: ForkServerProcess
    pipe: Connection
    job: TrialJob | None = None
    attempts_before: int = 0
    """Failed attempts in the trial's folder when the job was assigned."""


class Workers:
    """The slots of a run. A process is started when its slot gets its first job."""

    def __init__(self, gpus_of_slots: list[str | None]):
        # The folder of the fork server's sockets, which multiprocessing chooses by this variable.
        tempfile.tempdir = folder_for_sockets(LONGEST_SOCKET) or tempfile.tempdir
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload([WORKER])
        self._free = list(reversed(gpus_of_slots))
        self._idle: list[Worker] = []
        self.busy: list[Worker] = []

    @property
    def has_room(self) -> bool:
        """Whether another job can be assigned."""
        return bool(self._free or self._idle)

    def assign(self, job: TrialJob) -> None:
        """Let a process train a job."""
        worker = self._ready()
        failure = TrialFolder(job.folder).failure or {}
        worker.attempts_before = failure.get("attempts", 0)
        worker.job = job
        self.busy.append(worker)
        with contextlib.suppress(BrokenPipeError):  # it has just died: its report will say so
            worker.pipe.send(job.to_config())

    def _ready(self) -> Worker:
        """Return an idle worker, or a new one in place of those that died while they were idle."""
        while self._idle:
            worker = self._idle.pop()
            if worker.process.is_alive():
                return worker
            worker.pipe.close()
            self._free.append(worker.gpus)
        return self._start(self._free.pop())

    def _start(self, gpus: str | None) -> Worker:
        parent, child = self._context.Pipe()
        process = self._context.Process(target=_work, args=(child, gpus))
        process.start()
        child.close()
        return Worker(gpus, process, parent)

    def reports(self) -> list[Worker]:
        """Wait for a moment; return the workers that have sent something, or have died."""
        ready = connection.wait([worker.pipe for worker in self.busy], POLL_S)
        return [worker for worker in self.busy if worker.pipe in ready]

    def set_idle(self, worker: Worker) -> None:
        """Move a worker to the idle ones."""
        worker.job = None
        self.busy.remove(worker)
        self._idle.append(worker)

    def remove(self, worker: Worker) -> str:
        """Remove a worker that has died; return how it ended."""
        self.busy.remove(worker)
        self._free.append(worker.gpus)
        worker.pipe.close()
        worker.process.join()
        code = worker.process.exitcode or 0
        if code < 0:
            return f"its process was ended by {signal.Signals(-code).name}"
        return f"its process ended with code {code}"

    def kill(self) -> None:
        """End all processes at once."""
        for worker in [*self.busy, *self._idle]:
            worker.process.kill()

    def close(self) -> None:
        """End all processes, and wait for it; idle ones have closed their files."""
        self.kill()
        for worker in [*self.busy, *self._idle]:
            worker.process.join()
            worker.pipe.close()


def _work(pipe: Connection, gpus: str | None) -> None:
    """Begin a worker. Importing its module here keeps torch out of the process that starts it."""
    from orchestrator.local_backend.worker import work

    work(pipe, gpus)


class LocalProcesses:
    """Trains the trials of a source in `workers`."""

    def __init__(
        self,
        source: TrialSource,
        jobs: Jobs,
        progress: Progress,
        workers: Workers,
        max_failures: int,
    ):
        self.source = source
        self.jobs = jobs
        self.progress = progress
        self.workers = workers
        self.max_failures = max_failures
        self._closing = threading.Event()
        self._killed = False

    def train(self) -> None:
        """Train until the source gives nothing more, or the run is to stop."""
        while True:
            self._assign_jobs()
            if not self.workers.busy:
                return
            for worker in self.workers.reports():
                self._receive(worker)

    def take_no_more(self) -> None:
        """Let `train` return once its present trials have ended; any thread may call it."""
        self._closing.set()

    def kill(self) -> None:
        """End all processes at once; none is started again."""
        self._killed = True
        self.workers.kill()

    def _assign_jobs(self) -> None:
        while self.workers.has_room and not self._ending:
            planned = self.source.next()
            if planned is None:
                return
            job = self.jobs.of(planned)
            self.progress.started(job.name)
            self.workers.assign(job)

    @property
    def _ending(self) -> bool:
        return self.progress.stop.wanted or self._killed or self._closing.is_set()

    def _receive(self, worker: Worker) -> None:
        """Receive what a worker has sent, and answer a report: whether the trial is to continue."""
        assert worker.job is not None
        job = worker.job
        try:
            message: Any = worker.pipe.recv()
        except (EOFError, OSError):
            how = self.workers.remove(worker)
            self._attempt_failed(job, worker.attempts_before, how, details="")
            return
        if isinstance(message, dict):
            self.progress.reported(job.name, message)
            stopped = "epoch" in message and self.source.observe(job.name)
            with contextlib.suppress(BrokenPipeError):  # it has died
                worker.pipe.send(not stopped and not self.progress.stop.wanted)
        elif message == ENDED:
            self.workers.set_idle(worker)
            self.progress.ended(job.name)
        else:  # a traceback: the worker ends
            self.workers.remove(worker)
            self._attempt_failed(job, worker.attempts_before, "", details=message)

    def _attempt_failed(self, job: TrialJob, before: int, how: str, details: str) -> None:
        """Try a trial again, or give it up; in a run that stops anyway, it is interrupted."""
        if self.progress.stop.wanted or self._killed:
            self.progress.ended(job.name)
            return
        folder = TrialFolder(job.folder)
        attempts = (folder.failure or {}).get("attempts", 0)
        if attempts == before:  # the process could not write down its own end
            note_death(folder, how or details.splitlines()[-1], details, retry=True)
            attempts += 1
        if attempts <= self.max_failures:
            self.workers.assign(job)
        else:
            self.progress.ended(job.name)
