"""Fixtures of the tests that start `python -m orchestrator` in a process of its own."""

import functools
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.orchestrator.runs import Environment, Start, starting


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
    with starting(environment) as _start:
        yield functools.partial(_start, results=tmp_path)
