"""Which executor trains: Ray where it starts, local processes where it does not or is not wanted."""

import io
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from orchestrator.local_backend.execute import execute as in_local_processes
from orchestrator.run.executor import executor
from orchestrator.scheduling.trial_selection import Options
from trainable.config.runtime import Machine


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SimpleNamespace:
    """A Ray that starts if `ray.failures` are used up; `ray.asked` lists the dashboards asked for."""

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
    on_ray = SimpleNamespace(execute="on Ray")
    monkeypatch.setitem(sys.modules, "orchestrator.ray_backend.execute", on_ray)
    return fake


def chosen(options: Options, tmp_path: Path) -> tuple[Any, str]:
    """What trains, and what is said of it."""
    shown = io.StringIO()
    console = Console(file=shown, soft_wrap=True)
    with executor(options, tmp_path, set(), Machine(), console) as execute:
        return execute, shown.getvalue()


def test_a_ray_that_starts_trains_and_its_dashboard_is_named(ray, tmp_path):
    execute, said = chosen(Options(), tmp_path)
    assert (execute, ray.asked) == ("on Ray", [True])
    assert "http://127.0.0.1:1" in said


def test_a_ray_that_does_not_start_is_tried_again_without_its_dashboard(ray, tmp_path):
    ray.failures.append(RuntimeError("The current node timed out during startup."))
    execute, said = chosen(Options(), tmp_path)
    assert (execute, ray.asked) == ("on Ray", [True, False])
    assert said == "note: Ray started only without its dashboard.\n"


@pytest.mark.parametrize("dashboard", ["127.0.0.1", None])
def test_after_two_failures_local_processes_train_and_a_line_says_why(ray, tmp_path, dashboard):
    ray.failures += [OSError("no sockets"), RuntimeError("node timed out.\nand much more")]
    execute, said = chosen(Options(dashboard=dashboard), tmp_path)
    assert execute is in_local_processes
    assert len(ray.asked) == 2
    assert "node timed out" in said
    assert "local processes" in said
    assert len(said.splitlines()) == 1


def test_no_ray_starts_none(ray, tmp_path):
    execute, said = chosen(Options(ray=False), tmp_path)
    assert (execute, ray.asked, said) == (in_local_processes, [], "")
