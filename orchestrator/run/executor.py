"""Choose the executor of a run: Ray Tune, processes of this machine, or both in turn."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from rich.console import Console

from orchestrator.execution.interrupts import (
    Stop,
    StopAsked,
    ask_to_stop,
    interruptible,
    stoppable_before_tune,
    watched,
)
from orchestrator.execution.progress import Progress
from orchestrator.execution.resources import requested, this_machine
from orchestrator.local_backend.execute import LocalProcesses, local_processes, slots_here
from orchestrator.local_backend.execute import execute as in_local_processes
from orchestrator.results.store import Store
from orchestrator.scheduling.disk_space import Room
from orchestrator.scheduling.shared_source import SharedSource
from orchestrator.scheduling.trial_selection import Options
from orchestrator.scheduling.trial_source import TrialSource
from orchestrator.study.load import Study
from trainable.config.data import Data
from trainable.config.runtime import Machine

if TYPE_CHECKING:
    from orchestrator.display.live import View


FIRST_EPOCH_S = 10.0
"""Ray starts after the first epoch of a trial, whose imports it would slow down, or after these
seconds."""


class Execute(Protocol):
    """A function that trains the trials of a source."""

    def __call__(
        self, study: Study, store: Store, source: TrialSource, machine: Machine, view: "View"
    ) -> Stop:
        """Train the trials of a source; return what stopped the run early, if anything did."""
        ...


@contextmanager
def executor(
    options: Options, place: Path, data: set[Data], machine: Machine, console: Console
) -> Iterator[Execute]:
    """Start an executor, and end it afterwards.

    Args:
        options: a cluster, a Ray of our own, or none.
        place: folder of the results; every machine of a cluster must see it.
        data: data sets that every machine of a cluster must find.
        machine: settings of every trial.
        console: where the dashboard is printed, and why Ray is not used.

    Raises:
        CannotRun: there is no such cluster, or one of its machines does not fit.
    """
    if options.address:
        from orchestrator.ray_backend.cluster import cluster

        with cluster(options.address, place, data, machine):
            from orchestrator.ray_backend.execute import execute as on_ray

            yield on_ray
    elif options.ray:
        with ExitStack() as stack:
            yield OwnRay(options.dashboard, stack, console)
    else:
        yield in_local_processes


class OwnRay:
    """Trains on a Ray of our own, and in local processes until it is up. An `Execute`.

    Ray takes ten seconds to start, and its first actors take as long again. Meanwhile the first
    trials begin in local processes, which train them to their end. If Ray does not start, local
    processes train everything. Ray is not started at all if no trial is left for it.

    Args:
        dashboard: the host that Ray's dashboard listens on; None for no dashboard.
        stack: ends Ray when it is closed.
        console: where the dashboard is printed, and why Ray is not used.
    """

    def __init__(self, dashboard: str | None, stack: ExitStack, console: Console):
        self._dashboard = dashboard
        self._stack = stack
        self._console = console
        self._started: bool | None = None
        """Whether Ray has started; None before the first attempt."""

    def __call__(
        self, study: Study, store: Store, source: TrialSource, machine: Machine, view: "View"
    ) -> Stop:
        """Train the trials of a source; return what stopped the run early, if anything did.

        Raises:
            CannotRun: one trial asks for more CPUs or GPUs than this machine has.
        """
        shared = SharedSource(source, slots_here(study))
        stop = self._train(study, store, shared, machine, view)
        if stop.dead:
            self._console.print(f"note: {stop.dead}. Trials are trained in local processes.")
            self._started = False
            shared.take_back()
            stop = self._train(study, store, shared, machine, view)
        return stop

    def _train(
        self, study: Study, store: Store, shared: SharedSource, machine: Machine, view: "View"
    ) -> Stop:
        _, gpu = requested(study.file.resources, [this_machine()])
        if self._started is None and not gpu:
            return self._beside_local_processes(study, store, shared, machine, view)
        shared.limited = False
        # Ray alone assigns GPUs.
        if self._started is None:
            self._start()
        if not self._started:
            return in_local_processes(study, store, shared, machine, view)
        from orchestrator.ray_backend.execute import execute as on_ray

        return on_ray(study, store, shared, machine, view)

    def _beside_local_processes(
        self, study: Study, store: Store, shared: SharedSource, machine: Machine, view: "View"
    ) -> Stop:
        """Start Ray while the first trials are trained; then let it train the others."""
        self._console.print("Ray:           starts while local processes train the first trials")
        stop = Stop()
        slots = slots_here(study)
        room = Room(store.root, shared.waiting, slots)
        progress = Progress(view, shared, room, stop, ask_to_stop)
        with local_processes(study, store, shared, machine, progress, slots) as processes:
            first = FirstTrials(processes, shared)
            with (
                _ignored(signal.SIGUSR1),  # before and after it is a request to stop
                interruptible(stop, ask_to_stop, processes.kill),
                view,
                watched(view, study.file.run.stall_timeout, processes.kill),
                first.trained(stop),
            ):
                shared.first_epoch.wait(FIRST_EPOCH_S)
                if not shared.exhausted:
                    self._start()
                if self._started and not shared.exhausted:
                    from orchestrator.ray_backend.execute import train_on_ray
                    from orchestrator.ray_backend.workers import import_ahead

                    import_ahead(slots)
                    processes.take_no_more()
                    train_on_ray(study, store, shared, machine, progress)
        return stop

    def _start(self) -> None:
        """Start a Ray of our own, and say what to know of it."""
        from orchestrator.ray_backend.local import RayDidNotStart, local_ray, token_place

        say = self._console.print
        try:
            address = self._stack.enter_context(local_ray(self._dashboard))
        except RayDidNotStart as error:
            say(f"note: {error} Trials are trained in local processes.")
            self._started = False
            return
        self._started = True
        if address:
            say(f"Ray dashboard: {address} (it asks for the token in {token_place()})")
        elif self._dashboard:
            say("note: Ray started only without its dashboard.")


class FirstTrials:
    """Local processes that train in a thread of their own, while the main thread starts Ray.

    Args:
        processes: what trains.
        source: gives out the trials; no longer limited once the processes have ended theirs.
    """

    def __init__(self, processes: LocalProcesses, source: SharedSource):
        self._processes = processes
        self._source = source
        self._error: BaseException | None = None

    @contextmanager
    def trained(self, stop: Stop) -> Iterator[None]:
        """Train meanwhile, and until the last trial of these processes has ended.

        A request to stop ends the block; the processes see the reason in `stop` themselves.
        """
        thread = threading.Thread(target=self._train, daemon=True)
        with stoppable_before_tune(), suppress(StopAsked):
            thread.start()
            yield
        # Ray has left a handler of SIGTERM that aborts.
        with interruptible(stop, end_workers=self._processes.kill):
            while thread.is_alive():
                thread.join(0.2)
        if self._error is not None:
            raise self._error

    def _train(self) -> None:
        try:
            self._processes.train()
        except BaseException as error:  # raised again in the main thread
            self._error = error
            os.kill(os.getpid(), signal.SIGUSR1)
        finally:
            self._source.limited = False


@contextmanager
def _ignored(number: signal.Signals) -> Iterator[None]:
    """Ignore a signal inside the block."""
    before = signal.signal(number, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(number, before)
