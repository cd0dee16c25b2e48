"""What tests of whole runs share: a fast study, waiting for a moment of a run, and what a finished run must hold."""

import contextlib
import functools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from orchestrator.study.load import load_study
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.storage.trial_folder import TrialFolder
from trainable.trial.trial import Trial

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
RAY_ALONE = "tests.orchestrator.ray_alone"
"""Module to start where all trials are to be trained by Ray's actors."""

Environment = dict[str, str]
Process = subprocess.Popen[str]
Start = Callable[..., Process]
Command = Callable[..., tuple[int, str, str]]
RunHere = Callable[..., tuple[int, str]]


def in_place_of_ray(monkeypatch: pytest.MonkeyPatch, execute: Callable[..., Any]) -> None:
    """Let `run` call `execute(study, store, source, machine, view)`, and neither Ray nor local processes."""
    monkeypatch.setattr(
        "orchestrator.run.executor.OwnRay", lambda dashboard, stack, console: execute
    )


def workers(environment: Environment) -> list[int]:
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


def wait_until(condition: Callable[[], Any], what: str, process: Process | None = None) -> Any:
    """Wait for a moment, and return what the condition found; if a process is given, it must not end before."""
    deadline = time.monotonic() + PATIENCE_S
    while not (found := condition()):
        assert time.monotonic() < deadline, f"in vain: {what}"
        assert process is None or process.poll() is None, f"ended before {what}: {finish(process)}"
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def starting(environment: Environment) -> Iterator[Start]:
    """A function that starts `python -m orchestrator run`; what still runs at the end is killed, workers included."""
    started = []

    def start(study: Path, *options: str, results: Path, module: str = "orchestrator") -> Process:
        command = [
            sys.executable,
            "-m",
            module,
            "run",
            str(study),
            "--results",
            str(results),
            *options,
        ]
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

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
            process.communicate()
    for pid in workers(environment):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not workers(environment), "Ray's processes have ended")


def write_study(folder: Path, epochs: int, text: str = STUDY) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(text.replace("EPOCHS", str(epochs)))
    return path


def finish(process: Process) -> str:
    output, _ = process.communicate(timeout=PATIENCE_S)
    return output


def untimed(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [
        {name: value for name, value in row.items() if not name.startswith("time/")} for row in rows
    ]


def assert_as_undisturbed(study: Path, runs: Path, sets: Sequence[str] = ()) -> None:
    """Every trial is done, has each epoch once, and its rows equal those of a trial that nothing interrupted."""
    for trial in load_study(study, list(sets)).trials:
        folder = TrialFolder(runs / trial.record.name)
        assert folder.summary is not None, trial.record.name
        assert not folder.has_checkpoint
        assert folder.owner is None
        lines = (folder.path / "metrics.jsonl").read_text().splitlines()
        assert len(lines) == len(folder.rows()), "each line is a whole row"
        assert [row["epoch"] for row in folder.rows()] == list(
            range(1, trial.config.train.epochs + 1)
        )
        assert untimed(folder.rows()) == json.loads(_undisturbed(trial.config.model_dump_json()))


@functools.cache
def _undisturbed(config: str) -> str:
    return json.dumps(untimed(list(Trial(TrialConfig.model_validate_json(config), Machine()))))


# --- a run in the middle of its trials ---


def unfinished(runs: Path, epochs: int = 1) -> list[TrialFolder]:
    """Folders of trials that have at least this number of epochs and are not done."""
    folders = [TrialFolder(path.parent) for path in runs.rglob("metrics.jsonl")]
    return [folder for folder in folders if len(folder.rows()) >= epochs and folder.summary is None]


def wait_for_two(runs: Path, process: Process | None = None, epochs: int = 3) -> list[TrialFolder]:
    """Wait until both slots are in the middle of a trial, in processes that live; the younger trial is first."""

    def at_work() -> list[TrialFolder]:
        found = []
        for folder in unfinished(runs, epochs):
            owner = folder.owner
            if owner and Path("/proc", str(owner["pid"])).exists():
                found.append(folder)
        found.sort(key=lambda folder: len(folder.rows()))
        return found if len(found) >= 2 else []

    trained: list[TrialFolder] = wait_until(at_work, "both slots have trained some epochs", process)
    return trained


def pid_of(folder: TrialFolder) -> int:
    """The process that trains a trial; never the one that runs the study."""
    owner = folder.owner
    assert owner is not None
    assert owner["pid"] != os.getpid()
    return int(owner["pid"])


def raylets(environment: Environment) -> list[int]:
    """The processes without which Ray on this machine is dead."""
    return [
        pid
        for pid in workers(environment)
        if command_of(pid).partition(" ")[0].endswith("raylet/raylet")
    ]


def command_of(pid: int | None) -> str:
    """The command line of a process; "" if it does not live."""
    try:
        return Path("/proc", str(pid), "cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def let_two_hang(
    runs: Path, process: Process, epochs: int = 3
) -> tuple[list[TrialFolder], list[int]]:
    """Stop the processes of both slots in the middle of a trial; those trials, and the processes."""
    while True:
        folders = wait_for_two(runs, process, epochs)
        pids = [owner["pid"] for folder in folders if (owner := folder.owner)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        hung = [folder.owner["pid"] for folder in folders if folder.owner and not folder.summary]
        if len(pids) == 2 and hung == pids:
            return folders, pids
        wake(pids)  # one has ended its trial in this moment


def wake(pids: list[int]) -> None:
    """Let stopped processes continue, those that still live."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)


def press_again_and_again(process: Process) -> None:
    """Send Ctrl-C until the process ends: the second ends a run whose workers do not answer the first."""

    def ended() -> bool:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
        return process.poll() is not None

    wait_until(ended, "Ctrl-C ends the run")


def assert_quiet(output: str) -> None:
    assert "Traceback" not in output, output
    assert "WARNING" not in output, output
