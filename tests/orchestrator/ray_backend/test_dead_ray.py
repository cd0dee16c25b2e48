"""A Ray that dies in the middle of a run: local processes train what is left."""

import os
import signal

import pytest

from orchestrator.ray_backend.local import LONGEST_LINE, _first_lines_only
from tests.orchestrator.runs import (
    RAY_ALONE,
    assert_as_undisturbed,
    assert_quiet,
    finish,
    raylets,
    wait_for_two,
    write_study,
)

EPOCHS = 100
"""Ray takes some ten seconds to notice that a machine has died; a study must last longer everywhere."""


@pytest.mark.ray
@pytest.mark.slow
def test_a_run_goes_on_without_ray(tmp_path, start, environment):
    study = write_study(tmp_path, EPOCHS)
    runs = tmp_path / "tiny" / "runs"
    process = start(study, results=tmp_path, module=RAY_ALONE)
    wait_for_two(runs, process)
    [raylet] = raylets(environment)
    os.kill(raylet, signal.SIGKILL)
    output = finish(process)
    assert process.returncode == 0, output
    assert "Ray has died on this machine" in output
    assert_quiet(output)
    assert "state-dump" not in output
    assert_as_undisturbed(study, runs)


def test_of_a_message_of_ray_the_first_line_is_printed():
    printed = []
    shortened = _first_lines_only(lambda data, prefix: printed.append((data, prefix)))
    shortened({"pid": "raylet", "lines": ["died\n[state-dump] 1\n[state-dump] 2", "x" * 999]}, True)
    assert printed == [({"pid": "raylet", "lines": ["died", "x" * LONGEST_LINE]}, True)]
