"""Whole runs in real processes: `python -m orchestrator run` on Ray, killed and continued."""

import json
import re
import signal

import pytest

from tests.orchestrator.runs import (
    STUDY,
    assert_as_undisturbed,
    finish,
    wait_until,
    workers,
    write_study,
)
from trainable.storage.trial_folder import TrialFolder

pytestmark = pytest.mark.ray


def test_a_run_trains_compares_and_then_does_only_what_is_missing(tmp_path, start):
    study, runs = write_study(tmp_path, 3), tmp_path / "tiny" / "runs"
    process = start(study)
    output = finish(process)
    assert process.returncode == 0, output
    assert "Ray dashboard: http://127.0.0.1:" in output
    assert f"python -m orchestrator tensorboard {runs.parent}" in output
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

    process = start(study, "--no-dashboard", "--json", "--set", "seeds=[0, 1, 2]")
    output = finish(process)
    assert process.returncode == 0, output
    events = [json.loads(line) for line in output.splitlines()]
    assert (events[0]["event"], events[0]["todo"]) == ("start", 2)
    assert (events[-1]["event"], events[-1]["code"], events[-1]["trials"]) == (
        "end",
        0,
        {"done": 6},
    )
    new = {"baseline/seed=2", "no_mixup/seed=2"}
    for kind in ("started", "epoch", "ended"):
        assert {event["trial"] for event in events if event["event"] == kind} == new
    after = {path: path.stat().st_mtime_ns for path in runs.rglob("summary.json")}
    assert len(after) == 6
    assert {path: after[path] for path in before} == before, "no finished trial was touched"


@pytest.mark.slow  # a minute of it is Ray's agents noticing that their node has died
def test_a_killed_run_goes_on_and_its_rows_are_those_of_an_undisturbed_one(
    tmp_path, start, environment
):
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
    assert all(path.read_bytes() == content for path, content in finished.items()), (
        "no finished trial ran twice"
    )
    assert any("resumes after epoch" in (folder / "train.log").read_text() for folder in partial)
    assert_as_undisturbed(study, runs)


def test_a_diverging_trial_is_named_and_the_others_are_done(tmp_path, start):
    study = write_study(tmp_path, 2, STUDY.replace("arms:", "arms:\n  diverging: {train.lr: 1e12}"))
    process = start(study, "--no-dashboard", "--quiet", "--set", "seeds=[0]")
    output = finish(process)
    assert process.returncode == 1, output
    assert re.fullmatch(r"failed: diverging/seed=0: non-finite loss: .*\n", output), (
        "a quiet run says nothing else"
    )
    failure = TrialFolder(tmp_path / "tiny" / "runs" / "diverging" / "seed=0").failure
    assert failure is not None
    assert failure["attempts"] == 1, "trying again would not help"

    process = start(study, "--no-dashboard", "--set", "seeds=[0]")
    output = finish(process)
    assert process.returncode == 1
    assert "Nothing to do" in output
    assert "2 done, 1 failed" in output


@pytest.mark.slow
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_stops_keeps_its_epochs_and_says_so_in_its_exit_code(
    tmp_path, start, environment, number, code
):
    study, runs = write_study(tmp_path, 400), tmp_path / "tiny" / "runs"
    process = start(study, "--no-dashboard")
    wait_until(
        lambda: len(list(runs.rglob("checkpoint.pt"))) == 2 or process.poll() is not None,
        "both slots train",
    )
    process.send_signal(number)
    output = finish(process)
    assert process.returncode == code, output
    assert "Traceback" not in output
    assert "partial" in output
    wait_until(lambda: not workers(environment), "no process is left")
    for checkpoint in runs.rglob("checkpoint.pt"):
        assert TrialFolder(checkpoint.parent).rows()
