"""Actors that die or hang while Ray trains. What the faults of all runs have in common is tested in
`tests/orchestrator/local_backend/test_faults.py`."""

import contextlib
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from tests.orchestrator.runs import (
    Process,
    assert_as_undisturbed,
    finish,
    wait_until,
    workers,
    write_study,
)
from trainable.storage.trial_folder import TrialFolder

pytestmark = [pytest.mark.ray, pytest.mark.slow]

EPOCHS = 60


def wait_for_two(runs: Path, process: Process, epochs: int = 3) -> list[TrialFolder]:
    """Wait until both slots are in the middle of a trial."""

    def at_work() -> list[TrialFolder]:
        folders = [TrialFolder(path.parent) for path in runs.rglob("owner.json")]
        return [folder for folder in folders if len(folder.rows()) >= epochs]

    wait_until(lambda: len(at_work()) >= 2, "both slots have trained some epochs", process)
    return at_work()


def pid_of(folder: TrialFolder) -> int:
    """The actor that trains a trial."""
    owner = folder.owner
    assert owner is not None
    return int(owner["pid"])


def test_a_killed_actor_is_a_named_failure_or_tried_again(tmp_path, start):
    study, runs = write_study(tmp_path, EPOCHS), tmp_path / "tiny" / "runs"
    process = start(study, "--no-dashboard")
    victim = wait_for_two(runs, process)[0]
    os.kill(pid_of(victim), signal.SIGKILL)
    output = finish(process)
    assert process.returncode == 1, output
    assert f"failed: {'/'.join(victim.path.parts[-2:])}: process died: " in output
    assert "3 done, 1 failed" in output
    assert "Traceback" not in output
    failure = victim.failure
    assert failure is not None
    assert victim.has_checkpoint

    process = start(study, "--no-dashboard", "--retry-failed", "--set", "run.max_failures=2")
    wait_until(
        lambda: victim.owner and len(victim.rows()) > failure["epoch"],
        "the victim trains again",
        process,
    )
    os.kill(pid_of(victim), signal.SIGKILL)
    output = finish(process)
    assert process.returncode == 0, output
    assert "1 of 4 trials to run" in output
    assert "Traceback" not in output
    assert (victim.path / "train.log").read_text().count("resumes after epoch") == 2
    assert victim.failure is None
    assert_as_undisturbed(study, runs)


def test_actors_that_hang(tmp_path, start, environment):
    study, runs = write_study(tmp_path, EPOCHS), tmp_path / "tiny" / "runs"

    def stop_actors(epochs: int) -> list[int]:
        pids = [pid_of(folder) for folder in wait_for_two(runs, process, epochs)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        return pids

    def pressed_again() -> bool:
        process.send_signal(signal.SIGINT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(1)
        return process.poll() is not None

    process = start(study, "--no-dashboard")
    pids = stop_actors(3)
    wait_until(pressed_again, "a second Ctrl-C ends a run whose actors do not answer the first")
    output = finish(process)
    assert process.returncode == 130, output
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    wait_until(lambda: not workers(environment), "the actors follow")

    process = start(study, "--no-dashboard", "--set", "run.stall_timeout=40")
    pids = stop_actors(6)
    output = finish(process)
    assert process.returncode == 1, output
    assert "Traceback" not in output
    assert "run.stall_timeout: 40" in output
    assert re.search(r"last seen: (baseline|no_mixup)/seed=\d (epoch \d+|started) at ", output)

    # If the actors still live, they find themselves replaced, and must not write.
    process = start(study, "--no-ray")
    wait_for_two(runs, process)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    output = finish(process)
    assert process.returncode == 0, output
    assert_as_undisturbed(study, runs)
