"""Actors that die or hang while Ray trains. What the faults of all runs have in common is tested in
`tests/orchestrator/local_backend/test_faults.py`."""

import os
import re
import signal

import pytest

from tests.orchestrator.runs import (
    RAY_ALONE,
    assert_as_undisturbed,
    finish,
    let_two_hang,
    pid_of,
    press_again_and_again,
    wait_for_two,
    wait_until,
    wake,
    workers,
    write_study,
)

pytestmark = [pytest.mark.ray, pytest.mark.slow]

EPOCHS = 40


def test_a_killed_actor_is_a_named_failure_or_tried_again(tmp_path, start):
    study, runs = write_study(tmp_path, EPOCHS), tmp_path / "tiny" / "runs"
    process = start(study, "--no-dashboard", module=RAY_ALONE)
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

    process = start(
        study, "--no-dashboard", "--retry-failed", "--set", "run.max_failures=2", module=RAY_ALONE
    )
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

    process = start(study, "--no-dashboard", module=RAY_ALONE)
    _, pids = let_two_hang(runs, process)
    press_again_and_again(process)
    output = finish(process)
    assert process.returncode == 130, output
    wake(pids)
    wait_until(lambda: not workers(environment), "the actors follow")

    process = start(study, "--no-dashboard", "--set", "run.stall_timeout=40", module=RAY_ALONE)
    _, pids = let_two_hang(runs, process, 6)
    output = finish(process)
    assert process.returncode == 1, output
    assert "Traceback" not in output
    assert "run.stall_timeout: 40" in output
    assert re.search(r"last seen: (baseline|no_mixup)/seed=\d (epoch \d+|started) at ", output)

    # If the actors still live, they find themselves replaced, and must not write.
    process = start(study, "--no-ray")
    wait_for_two(runs, process)
    wake(pids)
    output = finish(process)
    assert process.returncode == 0, output
    assert_as_undisturbed(study, runs)
