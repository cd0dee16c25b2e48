"""Shares of a study without Ray: what each holds, what excludes what, and that together they are the study."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from orchestrator.results.lock import Locked, started
from orchestrator.results.store import Store
from orchestrator.run.run_shard import share_of
from orchestrator.study.load import load_study
from tests.orchestrator.runs import (
    RAY_ALONE,
    STUDY,
    assert_as_undisturbed,
    finish,
    untimed,
    write_study,
)
from trainable.storage.trial_folder import TrialFolder

CROSS_ENTROPY = """
name: tiny
seeds: [0, 1]
base:
  model: {name: small_cnn, width: 4}
  train: {epochs: EPOCHS, batch_size: 256}
  method: {name: cross_entropy}
arms:
  slow: {train.lr: 0.002}
resources: {gpu: 0}
"""


def shard(study: Path, index: int, of: int, *options: str) -> list[str]:
    return ["shard", str(study), "--index", str(index), "--of", str(of), *options]


@pytest.fixture
def command(command, tmp_path):
    """Run a command on the results of this test: (exit code, output, errors)."""
    return lambda *arguments: command(*arguments, "--results", tmp_path)


@pytest.mark.parametrize("of", [1, 2, 3, 7])
def test_shares_are_disjoint_equal_in_size_and_together_the_study(tmp_path, of):
    trials = load_study(write_study(tmp_path, 3)).trials
    shares = [share_of(trials, index, of) for index in range(of)]
    names = [trial.record.name for share in shares for trial in share]
    assert sorted(names) == sorted(trial.record.name for trial in trials)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_trial_is_in_the_share_of_the_one_that_it_uses(tmp_path):
    text = STUDY.replace("arms:", "arms:\n  again: {method.name: retrain, from_arm: baseline}")
    trials = load_study(write_study(tmp_path, 3, text)).trials
    for index in range(2):
        share = {trial.record.name for trial in share_of(trials, index, 2)}
        assert {trial.record.source for trial in share_of(trials, index, 2)} - {None} <= share


def test_a_share_tells_what_a_failed_source_blocks(tmp_path, command):
    study = write_study(
        tmp_path,
        1,
        CROSS_ENTROPY.replace("slow: {", "again: {from_arm: baseline, method.init: from_arm, "),
    )
    once = ("--set", "seeds=[0]", "--set", "base.train.lr=1e12")
    assert command(*shard(study, 0, 1, *once))[0] == 1
    code, out, _ = command(*shard(study, 0, 1, *once, "--arms", "again"))
    assert code == 1
    assert "blocked: again/seed=0 uses baseline/seed=0, which has no result" in out
    assert "--retry-failed" in out
    assert "1 blocked" in out


def test_a_share_of_a_selection_runs_that_alone(tmp_path, command):
    study, runs = write_study(tmp_path, 2, CROSS_ENTROPY), tmp_path / "tiny" / "runs"
    for index in range(2):
        code, out, _ = command(*shard(study, index, 2, "--arms", "slow", "--seeds", "1"))
        assert code == 0, out
    assert [path.parent.relative_to(runs).as_posix() for path in runs.rglob("summary.json")] == [
        "slow/seed=1"
    ]
    code, _, err = command(*shard(study, 0, 2, "--arms", "slowly"))
    assert (code, err) == (2, "--arms: the study has no slowly; it has baseline, slow\n")


def test_shares_one_after_another_are_the_study_and_a_second_time_nothing(tmp_path, command):
    study, runs = write_study(tmp_path, 2, CROSS_ENTROPY), tmp_path / "tiny" / "runs"
    code, out, _ = command(*shard(study, 0, 2))
    assert code == 0, out
    assert "shard 0 of 2: 2 of 2 trials to run" in out
    assert "2 done" in out
    assert len(list(runs.rglob("summary.json"))) == 2
    code, out, _ = command(*shard(study, 1, 2))
    assert code == 0, out
    assert_as_undisturbed(study, runs)
    code, out, _ = command(*shard(study, 1, 2))
    assert code == 0
    assert "shard 1 of 2: 0 of 2 trials to run" in out
    assert not list(tmp_path.joinpath("tiny").glob("*.lock"))
    assert len(json.loads((tmp_path / "tiny" / "provenance.json").read_bytes())) == 3


BROKEN = """\
from torch import nn

from trainable.api import Section


class Net(nn.Sequential):
    class Config(Section):
        broken: bool = False

    def __init__(self, config, shape, classes):
        super().__init__(nn.Flatten(), nn.Linear(64, classes))
        self.broken = config.broken

    def forward(self, images):
        if self.broken and len(images) > 8:  # more than are tried when the network is built
            raise RuntimeError("the machine is on fire")
        return super().forward(images)
"""


def test_a_failing_trial_is_tried_as_often_as_the_study_says_and_the_others_run(tmp_path, command):
    (tmp_path / "net.py").write_text(BROKEN)
    text = CROSS_ENTROPY.replace("{name: small_cnn, width: 4}", "{name: 'net.py:Net'}").replace(
        "slow: {train.lr: 0.002}", "slow: {model.broken: true}"
    )
    study = write_study(tmp_path, 1, text + "run: {max_failures: 1}\n")
    code, out, _ = command(*shard(study, 0, 1))
    assert code == 1
    assert "failed: slow/seed=1: RuntimeError: the machine is on fire" in out, out
    assert "2 done, 2 failed" in out
    failure = TrialFolder(tmp_path / "tiny" / "runs" / "slow" / "seed=1").failure
    assert failure is not None
    assert failure["attempts"] == 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--index", "2", "--of", "2"], "the index counts from 0 to 1"),
        (
            ["--index", "0", "--of", "1", "--set", "resources.cpu=9999"],
            "a trial asks for 9999 CPUs",
        ),
        (
            ["--index", "0", "--of", "1", "--set", "base.data={name: npz, path: no.npz}"],
            "no.npz does not exist",
        ),
    ],
)
def test_a_share_that_cannot_be_run_is_a_sentence_and_code_2(tmp_path, command, options, words):
    study = write_study(tmp_path, 1, CROSS_ENTROPY)
    code, _, err = command("shard", study, *options)
    assert code == 2
    assert words in err


def test_stale_trials_of_a_share_are_refused_and_archived_on_demand(tmp_path, command):
    study = write_study(tmp_path, 1, CROSS_ENTROPY)
    assert command(*shard(study, 0, 1))[0] == 0
    changed = ("--set", "base.train.epochs=2")
    code, _, err = command(*shard(study, 0, 1, *changed))
    assert code == 3
    assert "--stale archive" in err
    assert command(*shard(study, 0, 1, *changed, "--stale", "archive"))[0] == 0
    assert len(list(tmp_path.rglob("archive/*/*/*/summary.json"))) == 4


@pytest.mark.parametrize(
    ("held", "wanted", "free"),
    [
        ("study", (0, 2, "plan"), False),
        ("shard-0-of-2-plan", (0, 2, "plan"), False),
        ("shard-1-of-2-plan", (0, 2, "plan"), True),
        ("shard-1-of-2-plan", (0, 2, "edited"), False),
        ("shard-0-of-2-plan", (0, 2, "edited"), False),
        ("shard-1-of-20-plan", (0, 2, "plan"), False),
        ("shard-1-of-2-plan", None, False),
    ],
)
def test_a_run_and_shares_exclude_each_other_but_not_shares_of_one_array(
    tmp_path, held, wanted, free
):
    holder = {
        "token": "theirs",
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "started": started(os.getpid()),
    }
    (tmp_path / f"{held}.lock").write_text(json.dumps(holder))
    store = Store(tmp_path)
    lock = store.shard_lock(*wanted) if wanted else store.lock()
    if free:
        with lock:
            assert len(store.runners()) == 2
    else:
        with pytest.raises(Locked, match="is being run by"), lock:
            pass
    assert [runner["token"] for runner in store.runners()] == ["theirs"]


def test_a_terminated_share_keeps_its_epochs_and_goes_on(tmp_path, command):
    study, folder = (
        write_study(tmp_path, 100, CROSS_ENTROPY),
        TrialFolder(tmp_path / "tiny/runs/baseline/seed=0"),
    )
    seeds = ("--set", "seeds=[0]", "--set", "arms={}")

    def terminate() -> None:
        while len(folder.rows()) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=terminate, daemon=True)
    thread.start()
    code, *_ = command(*shard(study, 0, 1, *seeds))
    thread.join()
    assert code == 143
    assert 2 <= len(folder.rows()) < 100
    assert folder.owner is None
    assert command(*shard(study, 0, 1, *seeds))[0] == 0
    assert [row["epoch"] for row in folder.rows()] == list(range(1, 101))


@pytest.mark.ray
@pytest.mark.slow
def test_two_shares_side_by_side_give_the_rows_of_a_run_on_ray(tmp_path, start, environment):
    study = write_study(tmp_path, 4)
    shares = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "orchestrator"),
                *shard(study, index, 2, "--results", str(tmp_path / "shares")),
            ],
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for index in range(2)
    ]
    for share in shares:
        output = finish(share)
        assert share.returncode == 0, output
    process = start(study, "--no-dashboard", results=tmp_path / "ray", module=RAY_ALONE)
    output = finish(process)
    assert process.returncode == 0, output
    of_ray, of_shares = (tmp_path / name / "tiny" / "runs" for name in ("ray", "shares"))
    for path in of_ray.rglob("metrics.jsonl"):
        rows = TrialFolder(path.parent).rows()
        assert untimed(TrialFolder(of_shares / path.parent.relative_to(of_ray)).rows()) == untimed(
            rows
        )
        assert len(rows) == 4

    process = start(study, "--no-dashboard", results=tmp_path / "shares")
    output = finish(process)
    assert process.returncode == 0, output
    assert "Nothing to do: all 4 trials" in output
