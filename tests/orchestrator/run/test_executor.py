"""Which executor trains: local processes until Ray is up, Ray afterwards, local processes alone where it does not start."""

import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.execution.interrupts import Stop
from orchestrator.execution.resources import CannotRun
from orchestrator.local_backend.execute import execute as in_local_processes
from orchestrator.plain_console import plain_console
from orchestrator.run import executor as module
from orchestrator.run.executor import OwnRay, executor
from orchestrator.scheduling.trial_selection import Options
from orchestrator.study.schema import Resources
from trainable.config.runtime import Machine

OF_RAY, LOCAL = 101, 102
"""Numbers in place of a signal, which tell who has returned a `Stop`."""


class Trials:
    """A source of `count` trials; counts how many are given out at once."""

    knows_all, sees_every_epoch = True, False

    def __init__(self, count: int):
        self.left = [SimpleNamespace(record=SimpleNamespace(name=f"t{k}")) for k in range(count)]
        self.running: set[str] = set()
        self.most = 0
        self.waiting: list[Any] = []

    def next(self):
        if not self.left:
            return None
        trial = self.left.pop(0)
        self.running.add(trial.record.name)
        self.most = max(self.most, len(self.running))
        return trial

    @property
    def exhausted(self):
        return not self.left

    def observe(self, name):
        return False

    def settle(self, name):
        self.running.discard(name)
        return []


class FakeView(nullcontext):
    silence, last_seen, console = 0.0, "", plain_console(file=io.StringIO())

    def started(self, name): ...

    def ended(self, name): ...


class FakeRay:
    """A Ray of our own that comes up once `may_start` is set, if `failure` is None; trains what it gets."""

    def __init__(self):
        self.may_start = threading.Event()
        self.failure: Exception | None = None
        self.asked: list[str | None] = []
        self.trained: list[str] = []
        self.local: list[str] = []
        self.during: list[Any] = []

    @contextmanager
    def local_ray(self, dashboard):
        from orchestrator.ray_backend.local import RayDidNotStart

        self.asked.append(dashboard)
        assert self.may_start.wait(10)
        if self.failure:
            raise RayDidNotStart(f"Ray did not start ({self.failure}).")
        yield "http://here:1" if dashboard else None

    def train_on_ray(self, study, store, source, machine, progress):
        while not source.exhausted:
            if trial := source.next():
                self.trained.append(trial.record.name)
                progress.ended(trial.record.name)

    def execute(self, study, store, source, machine, view):
        self.trained.append("all")
        return Stop(signal=OF_RAY)


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    """Ray, and local processes that train a trial each until `finish` is called."""
    fake = FakeRay()
    monkeypatch.setattr("orchestrator.ray_backend.local.local_ray", fake.local_ray)
    backend = SimpleNamespace(train_on_ray=fake.train_on_ray, execute=fake.execute)
    monkeypatch.setitem(sys.modules, "orchestrator.ray_backend.execute", backend)
    workers = SimpleNamespace(import_ahead=lambda count: None)
    monkeypatch.setitem(sys.modules, "orchestrator.ray_backend.workers", workers)
    monkeypatch.setattr(module, "slots_here", lambda study: 2)
    monkeypatch.setattr(module, "FIRST_EPOCH_S", 0.05)

    @contextmanager
    def local_processes(study, store, source, machine, progress, slots):
        yield Processes(source, progress, fake)

    monkeypatch.setattr(module, "local_processes", local_processes)
    return fake


class Processes:
    """Stands in for local processes: trains one trial after the other while it may."""

    def __init__(self, source, progress, fake):
        self.source, self.progress, self.fake = source, progress, fake
        self.closing = threading.Event()

    def train(self):
        while not self.closing.is_set() and not self.progress.stop.wanted:
            trial = self.source.next()
            if trial is None:
                return
            name = trial.record.name
            self.fake.local.append(name)
            for during in self.fake.during:
                during(self, name)
            self.source.observe(name)
            self.progress.ended(name)

    def take_no_more(self):
        self.closing.set()

    def kill(self): ...


def wait_for(condition: Callable[[], Any]) -> None:
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def run(source: Trials, said: io.StringIO | None = None, gpu: float | str = "auto", own=None):
    console = plain_console(file=said or io.StringIO())
    study = SimpleNamespace(
        file=SimpleNamespace(
            resources=Resources(cpu=1, gpu=gpu),
            run=SimpleNamespace(stall_timeout=60, max_concurrent_trials=None),
        )
    )
    store = SimpleNamespace(root=Path("results"))
    with ExitStack() as stack:
        own = own or OwnRay("127.0.0.1", stack, console)
        return own(study, store, source, Machine(), FakeView())


def test_the_first_trials_are_trained_locally_and_the_others_on_ray(ray):
    def until_ray_is_up(processes, name):
        if name == "t1":
            ray.may_start.set()
            assert processes.closing.wait(10)

    ray.during.append(until_ray_is_up)
    source, said = Trials(6), io.StringIO()
    stop = run(source, said)
    assert not stop.wanted
    assert ray.local == ["t0", "t1"]
    assert ray.trained == ["t2", "t3", "t4", "t5"]
    assert not source.running
    assert "Ray dashboard: http://here:1 (it asks for the token in " in said.getvalue()


def test_both_together_take_no_more_slots_than_there_are(ray):
    def while_ray_trains(processes, name):
        ray.may_start.set()
        assert processes.closing.wait(10)
        wait_for(lambda: len(ray.trained) >= 3)

    ray.during.append(while_ray_trains)
    source = Trials(5)
    run(source)
    assert (ray.local, source.most) == (["t0"], 2)


def test_a_ray_that_does_not_start_leaves_all_trials_to_local_processes(ray):
    ray.failure = OSError("no sockets")

    def until_it_has_failed(processes, name):
        ray.may_start.set()
        wait_for(lambda: "note: " in said.getvalue())

    ray.during.append(until_it_has_failed)
    source, said = Trials(4), io.StringIO()
    run(source, said)
    assert (ray.local, ray.trained) == (["t0", "t1", "t2", "t3"], [])
    _, note = said.getvalue().splitlines()
    assert "no sockets" in note
    assert "local processes" in note


def test_ray_is_not_started_for_nothing(ray):
    run(Trials(1))
    assert (ray.local, ray.asked) == (["t0"], [])


def test_a_second_source_is_trained_where_the_first_one_ended(ray, monkeypatch):
    ray.may_start.set()
    ray.during.append(lambda processes, name: processes.closing.wait(10))
    with ExitStack() as stack:
        own = OwnRay(None, stack, plain_console(file=io.StringIO()))
        run(Trials(3), own=own)
        assert run(Trials(2), own=own).signal == OF_RAY
        own._started = False
        monkeypatch.setattr(module, "in_local_processes", lambda *arguments: Stop(signal=LOCAL))
        assert run(Trials(2), own=own).signal == LOCAL
    assert ray.asked == [None]


def test_gpus_are_assigned_by_ray_alone(ray, monkeypatch):
    monkeypatch.setattr(module, "requested", lambda resources, nodes: (1.0, 1.0))
    ray.may_start.set()
    assert run(Trials(3)).signal == OF_RAY
    assert ray.local == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_while_ray_starts_ends_both(ray, number):
    def interrupt(processes, name):
        if name == "t1":  # Ray waits for `may_start`
            wait_for(lambda: ray.asked)
            os.kill(os.getpid(), number)
            wait_for(lambda: processes.progress.stop.wanted)

    ray.during.append(interrupt)
    source = Trials(5)
    before = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
    stop = run(source)
    assert stop.signal == number
    assert (ray.local, ray.trained) == (["t0", "t1"], [])
    after = [signal.getsignal(each) for each in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)]
    assert after == before


def test_an_error_of_the_local_processes_is_raised_here(ray):
    def break_down(processes, name):
        raise CannotRun("no such thing")

    ray.during.append(break_down)
    with pytest.raises(CannotRun, match="no such thing"):
        run(Trials(3))
    assert ray.trained == []


def test_no_ray_starts_none(ray, tmp_path):
    console = plain_console(file=io.StringIO())
    with executor(Options(ray=False), tmp_path, set(), Machine(), console) as execute:
        assert execute is in_local_processes
    assert ray.asked == []


# --- attempts to start ---


@pytest.fixture
def starts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """`ray.init` that works once `failures` are used up; `asked` lists whether a dashboard was asked for."""

    def init(**options: Any) -> Any:
        fake.asked.append(options["include_dashboard"])
        if fake.failures:
            raise fake.failures.pop(0)
        return SimpleNamespace(
            dashboard_url="127.0.0.1:1" if options["include_dashboard"] else "",
            address_info={"session_dir": str(tmp_path / "session")},
        )

    fake = SimpleNamespace(init=init, shutdown=lambda: None, failures=[], asked=[])
    monkeypatch.setitem(sys.modules, "ray", fake)
    for name in ("read_environment_again", "shorten_messages"):
        monkeypatch.setattr(f"orchestrator.ray_backend.local.{name}", lambda: None)
    return fake


def started(dashboard: str | None) -> tuple[bool, str]:
    """Whether Ray is up, and what is said."""
    said = io.StringIO()
    with ExitStack() as stack:
        own = OwnRay(dashboard, stack, plain_console(file=said))
        own._start()
        return own._started, said.getvalue()


def test_a_ray_that_does_not_start_is_tried_again_without_its_dashboard(starts):
    starts.failures.append(RuntimeError("The current node timed out during startup."))
    up, said = started("127.0.0.1")
    assert (up, starts.asked) == (True, [True, False])
    assert said == "note: Ray started only without its dashboard.\n"


@pytest.mark.parametrize("dashboard", ["127.0.0.1", None])
def test_after_two_failures_a_line_says_why(starts, dashboard):
    starts.failures += [OSError("no sockets"), RuntimeError("node timed out.\nand much more")]
    up, said = started(dashboard)
    assert (up, len(starts.asked)) == (False, 2)
    assert "node timed out" in said
    assert len(said.splitlines()) == 1


def test_what_a_ray_that_died_was_given_is_trained_locally(ray, monkeypatch):
    ray.may_start.set()
    ray.during.append(lambda processes, name: processes.closing.wait(10))

    def die(study, store, source, machine, progress):
        source.next()
        source.next()
        progress.stop.dead = "Ray has died"
        progress.ended("t1")  # Tune closes its trials; they have not ended

    def train_locally(study, store, source, machine, view):
        while trial := source.next():
            ray.local.append(trial.record.name)
            source.settle(trial.record.name)
        return Stop()

    monkeypatch.setattr(ray_backend(), "train_on_ray", die)
    monkeypatch.setattr(module, "in_local_processes", train_locally)
    source, said = Trials(5), io.StringIO()
    assert not run(source, said).wanted
    assert ray.local == ["t0", "t0", "t1", "t2", "t3", "t4"]
    assert not source.running
    assert "note: Ray has died. Trials are trained in local processes." in said.getvalue()


def ray_backend() -> Any:
    return sys.modules["orchestrator.ray_backend.execute"]
