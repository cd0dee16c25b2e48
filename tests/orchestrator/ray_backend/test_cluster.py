"""A Ray cluster of several machines: what is asked of each before a run, and what a lost one leaves undone."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.execution.resources import CannotRun
from orchestrator.ray_backend.cluster import cluster
from orchestrator.ray_backend.node_check import seen_from_here
from tests.orchestrator.runs import (
    STUDY,
    Environment,
    assert_as_undisturbed,
    finish,
    wait_until,
    workers,
    write_study,
)
from trainable.config.data import Digits, Npz
from trainable.config.runtime import Machine
from trainable.storage.code_version import code_hash
from trainable.storage.trial_folder import TrialFolder

EPOCHS = 100
"""So that a trial that moves to another machine is still at work there when one looks."""

# --- one machine's answer ---


@pytest.fixture
def meeting(tmp_path: Path) -> Path:
    folder = tmp_path / "results" / ".nodes-x"
    folder.mkdir(parents=True)
    (folder / "driver").touch()
    return folder


def test_a_machine_that_fits_has_nothing_to_say_and_leaves_its_mark(meeting):
    assert seen_from_here(meeting, "node", code_hash(), {Digits()}, Machine()) == []
    assert (meeting / "node").exists()


def test_a_machine_that_sees_another_folder_of_the_same_name_says_so(meeting):
    (meeting / "driver").unlink()
    assert seen_from_here(meeting, "node", code_hash(), {Digits()}, Machine()) == [
        f"it cannot see {meeting.parent}: choose a --results folder that all nodes share"
    ]


def test_a_machine_without_the_data_and_with_other_code_says_both(meeting, tmp_path):
    machine = Machine(study_dir=tmp_path)
    data, code = seen_from_here(
        meeting, "node", "of another version", {Digits(), Npz(path="mine.npz")}, machine
    )
    assert f"{tmp_path / 'mine.npz'} does not exist" in data
    assert "trainable/ differs" in code


def test_a_machine_that_cannot_write_the_results_says_why(meeting):
    (problem,) = seen_from_here(meeting, "absent/node", code_hash(), {Digits()}, Machine())
    assert problem == f"it cannot write in {meeting.parent}: No such file or directory"


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("ray://127.0.0.1:10001", "write `auto` or HOST:PORT"),
        ("127.0.0.1", "write `auto` or HOST:PORT"),
        ("127.0.0.1:99999", "no server listens there"),
        ("127.0.0.1:1", "no server listens there"),
    ],
)
def test_an_address_without_a_cluster_is_a_sentence_at_once(address, words, tmp_path):
    with pytest.raises(CannotRun, match=words), cluster(address, tmp_path, set(), Machine()):
        pass


# --- two nodes ---


@pytest.fixture
def nodes(environment: Environment) -> Iterator[dict]:
    """Address of a cluster of two nodes with one CPU each, the first with a GPU in name; the raylet of the second."""
    quick = {"RAY_health_check_period_ms": "1000", "RAY_health_check_failure_threshold": "8"}
    auth = {"RAY_AUTH_MODE": "token", "RAY_USAGE_STATS_ENABLED": "0"}
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.orchestrator.two_nodes"],
        env=environment | quick | auth,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.communicate()


GPU_HALVES = STUDY + "resources: {cpu: 0.5, gpu: 0.5}\n"


@pytest.mark.ray
@pytest.mark.slow
def test_trials_that_share_a_gpu_run_two_at_once_and_never_three(tmp_path, nodes, start):
    study = write_study(
        tmp_path, 10, GPU_HALVES.replace("max_concurrent_trials: 2", "max_concurrent_trials: 4")
    )
    runs, busy = tmp_path / "tiny" / "runs", {0}
    process = start(study, "--address", nodes["address"])
    while process.poll() is None:
        busy.add(len(list(runs.glob("*/*/owner.json"))))
        time.sleep(0.05)
    output = finish(process)
    assert process.returncode == 0, output
    assert max(busy) == 2
    assert_as_undisturbed(study, runs)

    process = start(
        study, "--address", nodes["address"], "--set", "resources.cpu=3", "--set", "seeds=[7]"
    )
    output = finish(process)
    assert process.returncode == 2
    assert "a trial asks for 3 CPUs and 0.5 GPUs, and no machine has that" in output


@pytest.mark.ray
@pytest.mark.slow
def test_a_lost_node_loses_no_epoch_and_its_actor_that_lives_on_writes_nothing(
    tmp_path, nodes, start, environment
):
    """The second node's actor is stopped, not killed, while its node dies: it wakes up behind its successor's back."""
    study = write_study(tmp_path, EPOCHS, STUDY + "resources: {cpu: 1, gpu: 0}\n")
    runs = tmp_path / "tiny" / "runs"
    process = start(study, "--address", nodes["address"], "--set", "run.max_failures=2")

    def at_work() -> dict[int, TrialFolder]:
        """Trials in their middle by their actor."""
        folders = [TrialFolder(path.parent) for path in runs.rglob("owner.json")]
        return {f.owner["pid"]: f for f in folders if f.owner and 3 <= len(f.rows()) < 20}

    def lost() -> tuple[int, TrialFolder] | None:
        return next(
            ((pid, f) for pid, f in at_work().items() if parent(pid) == nodes["raylet"]), None
        )

    pid, folder = wait_until(lost, "the second node trains", process)
    os.kill(pid, signal.SIGSTOP)
    owner = folder.owner
    assert owner is not None
    assert owner["pid"] == pid
    os.kill(nodes["raylet"], signal.SIGKILL)
    wait_until(
        lambda: (folder.owner or owner)["token"] != owner["token"], "its trial has moved", process
    )
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGCONT)
    output = finish(process)
    assert process.returncode == 0, output
    assert "resumes after epoch" in (folder.path / "train.log").read_text()
    assert_as_undisturbed(study, runs)
    # Ray ends the actor once it sees that its node is gone, nearly always within seconds; it writes nothing either way.
    noticed = time.monotonic() + 30
    wait_until(
        lambda: pid not in workers(environment) or time.monotonic() > noticed,
        "time for another write",
    )
    assert_as_undisturbed(study, runs)


def parent(pid: int) -> int | None:
    with contextlib.suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return None
