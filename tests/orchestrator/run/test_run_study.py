"""Whole runs in real processes: `python -m orchestrator run` on Ray, killed, interrupted and resumed."""

import json
import signal

import pytest

from tests.orchestrator.runs import (
    RAY_ALONE,
    assert_as_undisturbed,
    command_of,
    finish,
    unfinished,
    wait_until,
    workers,
    write_study,
)
from trainable.storage.trial_folder import TrialFolder

pytestmark = pytest.mark.ray


def test_a_run_trains_compares_and_then_does_only_what_is_missing(tmp_path, start):
    study, runs = write_study(tmp_path, 3), tmp_path / "tiny" / "runs"
    process = start(study, module=RAY_ALONE)
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


def test_the_first_trials_are_trained_before_ray_is_up_and_the_others_by_its_actors(
    tmp_path, start, environment
):
    study, runs = write_study(tmp_path, 40), tmp_path / "tiny" / "runs"
    process = start(study, "--no-dashboard", "--json", "--set", "seeds=[0, 1, 2, 3, 4, 5]")
    by: dict[str, set[str]] = {"forkserver": set(), "ray::": set()}

    def seen() -> bool:
        for folder in unfinished(runs):
            command = command_of((folder.owner or {}).get("pid"))
            for kind, names in by.items():
                if kind in command:
                    names.add(str(folder.path.relative_to(runs)))
        return all(by.values())

    wait_until(seen, "local processes and actors have trained", process)
    output = finish(process)
    assert process.returncode == 0, output
    events = [json.loads(line) for line in output.splitlines()]
    started = [event["trial"] for event in events if event["event"] == "started"]
    assert len(started) == len(set(started)) == 12, "no trial was begun twice"
    assert set(started[:2]) <= by["forkserver"]
    running: set[str] = set()
    for event in events:
        if event["event"] == "started":
            running.add(event["trial"])
        elif event["event"] == "ended":
            running.discard(event["trial"])
        assert len(running) <= 2, "two slots, whoever trains"
    assert events[-1]["trials"] == {"done": 12}


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


@pytest.mark.slow
def test_an_interrupted_run_keeps_its_epochs_and_local_processes_complete_it(
    tmp_path, start, environment
):
    study, runs = write_study(tmp_path, 40), tmp_path / "tiny" / "runs"
    process = start(study, "--no-dashboard")
    wait_until(lambda: len(list(runs.rglob("checkpoint.pt"))) == 2, "both slots train", process)
    process.send_signal(signal.SIGTERM)
    output = finish(process)
    assert process.returncode == 143, output
    assert "Traceback" not in output
    assert "partial" in output
    wait_until(lambda: not workers(environment), "no process is left")
    kept = [TrialFolder(checkpoint.parent) for checkpoint in runs.rglob("checkpoint.pt")]
    epochs = [len(folder.rows()) for folder in kept]

    process = start(study, "--no-ray")
    output = finish(process)
    assert process.returncode == 0, output
    for folder, epoch in zip(kept, epochs, strict=True):
        assert f"resumes after epoch {epoch}\n" in (folder.path / "train.log").read_text()
    assert_as_undisturbed(study, runs)
