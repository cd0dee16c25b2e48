"""A real study that adds seeds, killed at random moments: the trials, rows and looks of one that nothing disturbed."""

import json
import os
import random
import shutil
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from analysis.results.looks import read_register
from analysis.results.read import read_results
from analysis.stats.comparison import compare
from tests.orchestrator.runs import (
    Environment,
    Process,
    assert_quiet,
    finish,
    untimed,
    wait_until,
    workers,
)
from trainable.storage.trial_folder import TrialFolder

pytestmark = [pytest.mark.slow, pytest.mark.nightly]

KILLS = 10
STUDY = """
name: tiny
seeds: {until: decided, at_least: 6, at_most: 12, first: 20}
base:
  data: {name: digits}
  noise: {name: symmetric, rate: 0.5}
  model: {name: small_cnn, width: 8}
  train: {epochs: 8, lr: 0.02}
  method: {name: dividemix, warmup_epochs: 2}
arms:
  slow: {train.lr: 0.002}
  no_co_guess: {method.co_guess: false}
analysis: {margin: 3}
"""


def content(root: Path) -> dict[str, Any]:
    """Rows of all trials, looks and verdicts."""
    table = compare(read_results(root))
    looks = read_register(root).looks
    return {
        "rows": {
            str(path.parent.relative_to(root)): untimed(TrialFolder(path.parent).rows())
            for path in sorted(root.glob("runs/*/*/metrics.jsonl"))
        },
        "looks": sorted((look.arm, look.verdict, look.seeds) for look in looks),
        "verdicts": table[["arm", "verdict", "looks", "low", "high"]].to_json(),
    }


def wait_for_another_trial(process: Process, root: Path) -> None:
    def begun() -> int:
        return len(list(root.rglob("metrics.jsonl")))

    before = begun()
    wait_until(lambda: process.poll() is not None or begun() > before, "a trial has begun")


def test_ten_kills_change_no_row_no_look_and_no_verdict(
    tmp_path: Path, start, environment: Environment
) -> None:
    study = tmp_path / "tiny.yaml"
    study.write_text(STUDY)
    root = tmp_path / "tiny"
    process = start(study, "--no-ray")
    output = finish(process)
    assert process.returncode == 0, output
    undisturbed = content(root)
    shutil.rmtree(root)

    rng = random.Random(0)
    for _ in range(KILLS):
        process = start(study, "--no-ray")
        wait_for_another_trial(process, root)
        time.sleep(rng.uniform(0, 3))
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
        assert_quiet(finish(process))
        wait_until(lambda: not workers(environment), "its workers have ended")
    process = start(study, "--no-ray")
    output = finish(process)
    assert process.returncode == 0, output
    assert json.dumps(content(root)) == json.dumps(undisturbed)
    print(undisturbed["looks"], len(undisturbed["rows"]), "trials")
