"""Fixtures of the tests that start `python -m orchestrator` in a process of its own."""

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.orchestrator.runs import Environment, Process, Start, wait_until, workers


@pytest.fixture(scope="module")
def environment() -> Iterator[Environment]:
    """A Ray with short paths of its own, which leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="dm", ignore_cleanup_errors=True) as folder:
        yield os.environ | {
            "RAY_TMPDIR": folder,
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "OMP_NUM_THREADS": "1",
            "RAY_worker_niceness": "0",
        }


@pytest.fixture
def start(tmp_path: Path, environment: Environment) -> Iterator[Start]:
    """Start `python -m orchestrator run` on a study; what still runs at the end is killed, workers included."""
    started = []

    def _start(study: Path, *options: str, results: Path = tmp_path) -> Process:
        command = [sys.executable, "-m", "orchestrator", "run", str(study), "--results", str(results), *options]
        process = subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield _start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()
    for pid in workers(environment):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not workers(environment), "Ray's processes have ended")
