"""Whole runs in real processes: `python -m orchestrator run` on Ray, killed and continued."""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator.study import load
from trainable.folder import TrialFolder
from trainable.machine import Machine
from trainable.trial import Trial

pytestmark = pytest.mark.ray

STUDY = """
name: tiny
seeds: [0, 1]
base:
  data: {name: digits, validation_fraction: 0.1}
  noise: {name: symmetric, rate: 0.4}
  model: {name: small_cnn, width: 8}
  train: {epochs: EPOCHS, lr: 0.02}
  method: {name: dividemix, warmup_epochs: 1, loss_history: 2}
arms:
  no_mixup: {method.mixup: false}
run: {max_concurrent_trials: 2, max_failures: 0}
"""
PATIENCE_S = 240


@pytest.fixture(scope="module")
def environment() -> Iterator[dict[str, str]]:
    """A Ray with short paths of its own, which leaves nothing behind."""
    with tempfile.TemporaryDirectory(prefix="dm", ignore_cleanup_errors=True) as folder:
        yield os.environ | {"RAY_TMPDIR": folder, "RAY_AUTH_TOKEN": secrets.token_hex(32), "OMP_NUM_THREADS": "1"}


@pytest.fixture
def start(tmp_path: Path, environment: dict[str, str]) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `python -m orchestrator run` on a study; what still runs at the end is killed, workers included."""
    started = []

    def _start(study: Path, *options: str) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "orchestrator", "run", str(study), "--results", str(tmp_path), *options]
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
    wait_until(lambda: not workers(environment), "Ray's processes have ended")


def workers(environment: dict[str, str]) -> list[int]:
    """Pids of living processes that belong to this module's Ray."""
    marker, found = f"RAY_TMPDIR={environment['RAY_TMPDIR']}".encode(), []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if (
                marker in (entry / "environ").read_bytes()
                and "Z" not in (entry / "stat").read_text().rsplit(")")[1][:3]
            ):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def wait_until(condition: Callable[[], Any], what: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, f"in vain: {what}"
        time.sleep(0.05)


def write_study(folder: Path, epochs: int, text: str = STUDY) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(text.replace("EPOCHS", str(epochs)))
    return path


def finish(process: subprocess.Popen[str]) -> str:
    output, _ = process.communicate(timeout=PATIENCE_S)
    return output


def untimed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if not name.startswith("time/")} for row in rows]


def assert_as_undisturbed(study: Path, runs: Path) -> None:
    """Every trial is done, has each epoch once, and its rows equal those of a trial that nothing interrupted."""
    for trial in load(study).trials:
        folder = TrialFolder(runs / trial.record.name)
        assert folder.summary is not None, trial.record.name
        assert not folder.has_checkpoint
        rows = folder.rows()
        assert [row["epoch"] for row in rows] == list(range(1, trial.config.train.epochs + 1))
        assert untimed(rows) == json.loads(json.dumps(untimed(list(Trial(trial.config, Machine())))))


def test_a_run_trains_compares_and_then_does_only_what_is_missing(tmp_path, start):
    study, runs = write_study(tmp_path, 3), tmp_path / "tiny" / "runs"
    process = start(study)
    output = finish(process)
    assert process.returncode == 0, output
    assert "Ray dashboard: http://127.0.0.1:" in output
    assert f"tensorboard --logdir {runs}" in output
    assert "no_mixup" in output
    assert "4 done" in output
    assert "Traceback" not in output
    assert "WARNING" not in output
    assert_as_undisturbed(study, runs)
    assert (tmp_path / "tiny" / "report" / "tables" / "arms.csv").exists()
    assert not (tmp_path / "tiny" / ".tune").exists(), "Tune's own folder is temporary"
    assert not (tmp_path / "tiny" / "study.lock").exists()

    before = {path: path.stat().st_mtime_ns for path in runs.rglob("summary.json")}
    process = start(study, "--no-dashboard")
    output = finish(process)
    assert process.returncode == 0
    assert "Nothing to do" in output

    process = start(study, "--no-dashboard", "--set", "seeds=[0, 1, 2]")
    output = finish(process)
    assert process.returncode == 0, output
    assert "2 of 6 trials to run" in output
    after = {path: path.stat().st_mtime_ns for path in runs.rglob("summary.json")}
    assert len(after) == 6
    assert {path: after[path] for path in before} == before, "no finished trial was touched"


def test_a_killed_run_goes_on_and_its_rows_are_those_of_an_undisturbed_one(tmp_path, start, environment):
    study, runs = write_study(tmp_path, 40), tmp_path / "tiny" / "runs"
    process = start(study, "--no-dashboard")

    def in_the_middle() -> bool:
        assert process.poll() is None, process.stdout.read() if process.stdout else ""
        partial = [p for p in runs.rglob("checkpoint.pt") if len(TrialFolder(p.parent).rows()) > 5]
        return bool(partial) and any(runs.rglob("summary.json"))

    wait_until(in_the_middle, "one trial is done and another is partial")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wait_until(lambda: not workers(environment), "the workers follow their killed driver")
    finished = {path: path.read_bytes() for path in runs.rglob("summary.json")}
    partial = [path.parent for path in runs.rglob("checkpoint.pt")]
    assert finished
    assert partial

    process = start(study, "--no-dashboard")
    output = finish(process)
    assert process.returncode == 0, output
    assert f"{4 - len(finished)} of 4 trials to run" in output
    assert all(path.read_bytes() == content for path, content in finished.items()), "no finished trial ran twice"
    assert any("goes on after epoch" in (folder / "train.log").read_text() for folder in partial)
    assert_as_undisturbed(study, runs)


def test_a_diverging_trial_is_named_and_the_others_are_done(tmp_path, start):
    study = write_study(tmp_path, 2, STUDY.replace("arms:", "arms:\n  diverging: {train.lr: 1e12}"))
    process = start(study, "--no-dashboard", "--set", "seeds=[0]")
    output = finish(process)
    assert process.returncode == 1, output
    assert "failed: diverging/seed=0: non-finite loss" in output
    assert "1 failed" in output
    assert "2 done" in output
    failure = TrialFolder(tmp_path / "tiny" / "runs" / "diverging" / "seed=0").failure
    assert failure is not None
    assert failure["attempts"] == 1, "trying again would not help"

    process = start(study, "--no-dashboard", "--set", "seeds=[0]")
    output = finish(process)
    assert process.returncode == 1
    assert "Nothing to do" in output


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_stops_keeps_its_epochs_and_says_so_in_its_exit_code(
    tmp_path, start, environment, number, code
):
    study, runs = write_study(tmp_path, 400), tmp_path / "tiny" / "runs"
    process = start(study, "--no-dashboard")
    wait_until(lambda: len(list(runs.rglob("checkpoint.pt"))) == 2 or process.poll() is not None, "both slots train")
    process.send_signal(number)
    output = finish(process)
    assert process.returncode == code, output
    assert "Traceback" not in output
    assert "partial" in output
    wait_until(lambda: not workers(environment), "no process is left")
    for checkpoint in runs.rglob("checkpoint.pt"):
        assert TrialFolder(checkpoint.parent).rows()
