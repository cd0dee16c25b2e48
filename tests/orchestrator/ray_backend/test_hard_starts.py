"""Runs under conditions that hinder Ray: every study ends done, on Ray or in local processes, without a traceback."""

import contextlib
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.orchestrator.runs import PATIENCE_S, RAY_ALONE, Environment, write_study

pytestmark = [pytest.mark.ray, pytest.mark.slow]


@contextlib.contextmanager
def taken(*ports: int) -> Iterator[None]:
    """Listen on these ports of loopback, unless another process does."""
    with contextlib.ExitStack() as stack:
        for port in ports:
            server = stack.enter_context(socket.socket())
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                server.bind(("127.0.0.1", port))
                server.listen()
        yield


def run(
    folder: Path, environment: Environment, before: Callable[[], None] | None = None
) -> subprocess.CompletedProcess[str]:
    study = write_study(folder, 2)
    return subprocess.run(
        [sys.executable, "-m", RAY_ALONE, "run", str(study), "--results", str(folder)],
        env=environment,
        preexec_fn=before,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )


def assert_done(ended: subprocess.CompletedProcess[str]) -> None:
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "4 done" in ended.stdout
    assert "Traceback" not in ended.stdout + ended.stderr
    assert len(ended.stderr.splitlines()) <= 1, ended.stderr


def few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))


def test_few_open_files(tmp_path, environment):
    assert_done(run(tmp_path, environment, few_files))


@pytest.mark.parametrize("home", [None, "/nonexistent"])
def test_no_home(tmp_path, environment, home):
    without = {name: value for name, value in environment.items() if name != "HOME"}
    assert_done(run(tmp_path, without | ({"HOME": home} if home else {})))


def test_ports_that_are_taken(tmp_path, environment):
    with taken(6379, *range(8265, 8275)):
        assert_done(run(tmp_path, environment))


def test_a_long_temporary_folder(tmp_path, environment):
    long = tmp_path / ("t" * 120)
    long.mkdir()
    without = {name: value for name, value in environment.items() if name != "RAY_TMPDIR"}
    assert_done(run(tmp_path, without | {"TMPDIR": str(long)}))


def test_a_ray_that_cannot_start_at_all(tmp_path, environment):
    file = tmp_path / "no folder"
    file.touch()
    ended = run(tmp_path, environment | {"RAY_TMPDIR": str(file)})
    assert_done(ended)
    [note] = [line for line in ended.stdout.splitlines() if line.startswith("note: Ray did not")]
    assert "local processes" in note
