"""Processes of runs on Ray, killed and stopped at random: each epoch is there once, with the rows of an undisturbed run."""

import contextlib
import os
import random
import shutil
import signal
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.orchestrator.runs import (
    STUDY,
    Environment,
    Process,
    Start,
    assert_as_undisturbed,
    assert_quiet,
    finish,
    pid_of,
    raylets,
    unfinished,
    wait_until,
    workers,
    write_study,
)
from trainable.storage.trial_folder import TrialFolder

KILLS = 20
EPOCHS = 120
VICTIMS = ["driver", "trial", "raylet", "everything", "stopped driver", "stopped trial"]


def epochs(runs: Path) -> int:
    """All epochs on disk."""
    return sum(len(TrialFolder(path.parent).rows()) for path in runs.rglob("metrics.jsonl"))


def wait_for_epochs(process: Process, runs: Path, more: int) -> None:
    """Wait for further epochs, or for the end of the run."""
    goal = epochs(runs) + more
    wait_until(lambda: process.poll() is not None or epochs(runs) >= goal, "progress")


def kill(pid: int, how: signal.Signals = signal.SIGKILL) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, how)


def pids(victim: str, process: Process, runs: Path, environment: Environment) -> list[int]:
    """The processes to strike; none if there is none at this moment."""
    if victim == "driver":
        return [process.pid]
    if victim == "everything":
        return [process.pid, *workers(environment)]
    if victim == "trial":
        return [pid_of(folder) for folder in unfinished(runs) if folder.owner][:1]
    return raylets(environment)


def strike(
    rng: random.Random, process: Process, runs: Path, environment: Environment
) -> str | None:
    """Kill, or stop and then wake or kill; return what was struck."""
    victim = rng.choice(VICTIMS)
    struck = pids(victim.removeprefix("stopped "), process, runs, environment)
    if not struck:
        return None
    if victim.startswith("stopped"):
        for pid in struck:
            kill(pid, signal.SIGSTOP)
        time.sleep(rng.uniform(0.2, 3))
        how = rng.choice([signal.SIGCONT, signal.SIGKILL])
        for pid in struck:
            kill(pid, how)
        return f"{victim}, then {how.name}"
    for pid in struck:
        kill(pid)
    return victim


@pytest.mark.ray
@pytest.mark.nightly
def test_twenty_random_kills(tmp_path: Path, start: Start, environment: Environment) -> None:
    rng = random.Random(0)
    study = write_study(tmp_path, EPOCHS, STUDY.replace("max_failures: 0", "max_failures: 5"))
    results = tmp_path / "tiny"
    runs = results / "runs"
    struck: Counter[str] = Counter()
    process = None
    while struck.total() < KILLS:
        if process is None or process.poll() is not None:
            if process is not None:
                assert_quiet(finish(process))
                if process.returncode == 0:
                    assert_as_undisturbed(study, runs)
                    shutil.rmtree(results)
            wait_until(lambda: not workers(environment), "Ray's processes have ended")
            process = start(study, "--retry-failed")
        wait_for_epochs(process, runs, rng.randint(1, 60))
        if process.poll() is None:
            victim = strike(rng, process, runs, environment)
            if victim:
                struck[victim] += 1
    assert process is not None
    finish(process)
    process = start(study, "--retry-failed")
    output = finish(process)
    assert process.returncode == 0, output
    assert_as_undisturbed(study, runs)
    print(dict(struck))
