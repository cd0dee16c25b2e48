"""Fixtures of the tests that call `python -m orchestrator`, in this process or in one of its own."""

import functools
import os
import secrets
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.cli import app
from tests.orchestrator.fake_trainer import Trainer
from tests.orchestrator.runs import Command, Environment, RunHere, Start, assert_quiet, starting


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


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Call `python -m orchestrator …` in this process: (exit code, standard output, standard error)."""

    def _command(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["orchestrator", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            app.main()
        output = capsys.readouterr()
        assert "Traceback" not in output.out + output.err
        return int(end.value.code or 0), output.out, output.err

    return _command


@pytest.fixture
def run_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Command) -> RunHere:
    """Call `run STUDY --no-ray` in this process, without its report: (exit code, output).

    `during` is called meanwhile in a thread; what it raises is raised here.
    """
    monkeypatch.setattr("analysis.report.write.write", lambda results: [])

    def _run(
        study: Path,
        *options: str,
        results: Path = tmp_path,
        during: Callable[[], object] = lambda: None,
    ) -> tuple[int, str]:
        raised: list[BaseException] = []

        def disturb() -> None:
            try:
                during()
            except BaseException as error:
                raised.append(error)

        thread = threading.Thread(target=disturb)
        thread.start()
        code, out, err = command("run", study, "--no-ray", "--results", results, *options)
        thread.join()
        if raised:
            raise raised[0]
        assert_quiet(out + err)
        return code, out + err

    return _run


@pytest.fixture
def trainer(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Trainer:
    """Train by known accuracies, in a folder of its own, without Ray and without a report."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    monkeypatch.setattr("analysis.report.write.write", lambda results: [])
    fake = Trainer()
    monkeypatch.setattr("orchestrator.run.run_study.executor", fake.executor)
    monkeypatch.setattr("orchestrator.run.run_shard.one_at_a_time", fake.execute)
    return fake
