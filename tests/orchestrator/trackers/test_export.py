"""Exports to trackers: what they get, and that repeated and interrupted exports double nothing."""

import json
import struct
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.results.read import read_results
from orchestrator.exit_codes import Ended
from orchestrator.trackers import repeat
from orchestrator.trackers.content import read_content
from orchestrator.trackers.export import export
from orchestrator.trackers.outcome import TrackerDown
from orchestrator.trackers.target import Target, parse_target
from tests.analysis.conftest import StudyFolder
from trainable.storage.trial_folder import TrialFolder

CONFIG = {"train": {"lr": 0.02, "epochs": 3}, "method": {"name": "dividemix"}, "seed": 0}


@pytest.fixture
def study(tmp_path) -> StudyFolder:
    """Two arms of three seeds; one trial of `worse` has failed."""
    folder = StudyFolder(tmp_path / "study")
    folder.arm("baseline", 90.0, 90.5, 90.2, config=CONFIG)
    folder.arm("worse", 80.0, "failed", 80.3, config=CONFIG)
    folder.write()
    return folder


# --- what trackers get ---


def test_an_arm_has_its_numbers_verdict_and_seeds(study):
    content = read_content(study.root)
    baseline, worse = content.arms
    assert baseline.verdict == "baseline"
    assert baseline.numbers["mean"] == pytest.approx(90.2333, abs=1e-3)
    assert baseline.numbers["mean_low"] < 90 < baseline.numbers["mean_high"]
    assert worse.numbers["difference"] == pytest.approx(-10.05, abs=0.2)
    assert worse.numbers["failed"] == 1
    assert worse.verdict in worse.sentence
    assert worse.config["train.lr"] == 0.02
    assert "seed" not in worse.config
    assert [seed.status for seed in worse.seeds] == ["finished", "failed", "finished"]
    assert [seed.name for seed in worse.seeds] == ["seed=0", "seed=1", "seed=2"]
    assert [row["epoch"] for row in baseline.seeds[0].rows] == [1, 2, 3]
    assert baseline.seeds[0].files.keys() >= {"trial.json", "summary.json"}
    assert content.runs == 8


def test_keys_differ_between_trials_and_are_the_same_in_another_place(study, tmp_path):
    first = read_content(study.root)
    keys = [arm.key for arm in first.arms] + [s.key for arm in first.arms for s in arm.seeds]
    assert max(Counter(keys).values()) == 1
    moved = study.root.rename(tmp_path / "elsewhere")
    second = read_content(moved)
    assert [arm.key for arm in first.arms] == [arm.key for arm in second.arms]
    assert [s.key for s in first.arms[0].seeds] == [s.key for s in second.arms[0].seeds]


def test_trials_that_have_not_begun_are_no_runs_and_keep_their_arm_open(tmp_path):
    folder = StudyFolder(tmp_path / "study").arm("baseline", 90.0, "missing", config=CONFIG)
    folder.write()
    arm = read_content(folder.root).arms[0]
    assert (len(arm.seeds), arm.ended) == (1, False)


# --- targets ---


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mlflw:http://x", "--to mlflw:http://x: it is mlflow:URI"),
        ("wandb-offline:", "it is mlflow:URI"),
        ("mlflow:server", "server is no address"),
        ("mlflow:http://me:secret@x", "Set MLFLOW_TRACKING_USERNAME"),
    ],
)
def test_a_wrong_target_is_refused_with_what_is_right(text, message):
    with pytest.raises(Ended, match=message) as found:
        parse_target(text, "--to")
    assert "secret" not in str(found.value)


def test_a_missing_package_is_named_with_its_extra(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(Ended, match=r"pip install 'dividemix-orchestrator\[wandb\]'"):
        parse_target("wandb-offline:x", "--track")


# --- repeated exports of a run ---


@pytest.fixture
def program(tmp_path, monkeypatch) -> Path:
    """Stands in for Python: notes its arguments, and fails while the file `down` exists."""
    script = tmp_path / "python"
    script.write_text(
        f'#!/bin/sh\necho "$@" >> {tmp_path}/calls\n'
        f"if [ -e {tmp_path}/down ]; then echo 'http://x: the server does not answer' >&2; exit 3; fi\n"
    )
    script.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(script))
    monkeypatch.setattr(repeat, "EVERY_S", 0.05)
    monkeypatch.setattr(repeat, "SHARE", 1)
    return tmp_path


def calls(program: Path) -> list[str]:
    try:
        return (program / "calls").read_text().splitlines()
    except FileNotFoundError:
        return []


def wait_for_calls(program: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while len(calls(program)) < count:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_is_exported_while_it_runs_and_at_its_end(program, study):
    said: list[str] = []
    with repeat.tracked(Target("mlflow", "http://x"), study.root, said.append):
        wait_for_calls(program, 2)
    assert set(calls(program)) == {f"-m orchestrator export --to mlflow:http://x {study.root}"}
    assert not said


def test_a_tracker_that_is_down_is_told_once_and_at_the_end(program, study):
    (program / "down").touch()
    said: list[str] = []
    with repeat.tracked(Target("mlflow", "http://x"), study.root, said.append):
        wait_for_calls(program, 4)
    assert len(said) == 2
    assert said[0] == (
        "note: http://x: the server does not answer. Trials are not affected; the export is tried "
        "again."
    )
    assert f"python -m orchestrator export --to mlflow:http://x {study.root}" in said[1]


def test_a_tracker_that_comes_back_is_up_to_date_at_the_end(program, study):
    (program / "down").touch()
    said: list[str] = []
    with repeat.tracked(Target("mlflow", "http://x"), study.root, said.append):
        wait_for_calls(program, 2)
        (program / "down").unlink()
    assert len(said) == 1


def test_nothing_is_exported_before_there_is_a_plan(program, tmp_path):
    with repeat.tracked(Target("mlflow", "http://x"), tmp_path / "new", print):
        time.sleep(0.2)
    assert not calls(program)


# --- MLflow, in a local store ---


@pytest.fixture
def mlflow(tmp_path):
    return pytest.importorskip("mlflow")


class Stored:
    """What MLflow holds of a study."""

    def __init__(self, mlflow, uri: str, study: str):
        self.client = mlflow.MlflowClient(uri)
        experiment = self.client.get_experiment_by_name(study)
        self.runs = {
            run.info.run_name: run for run in self.client.search_runs([experiment.experiment_id])
        }
        self.count = len(self.client.search_runs([experiment.experiment_id]))

    def history(self, name: str, metric: str) -> list[tuple[int, float]]:
        found = self.client.get_metric_history(self.runs[name].info.run_id, metric)
        return [(metric.step, metric.value) for metric in found]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_mlflow_has_every_run_and_every_epoch_once(study, tmp_path, mlflow, monkeypatch):
    monkeypatch.chdir(tmp_path)
    target = Target("mlflow", f"sqlite:///{tmp_path}/mlflow.db")
    # A trial in its second epoch, and an export that is cut off after its rows have been sent.
    trial = TrialFolder(study.root / read_results(study.root).done["folder"].iloc[0])
    rows = trial.rows()
    content = read_content(study.root)
    first = content.arms[0].seeds[0]
    early = replace(first, rows=rows[:2], summary={}, status="running")
    seeds = [early, *content.arms[0].seeds[1:]]
    target.export(replace(content, arms=[replace(content.arms[0], seeds=seeds, ended=False)]))
    cut = mlflow.MlflowClient(target.place)
    stored = Stored(mlflow, target.place, content.name)
    cut.set_tag(stored.runs["baseline/seed=0"].info.run_id, "dividemix.epochs", "1")
    for _ in range(2):
        sentence = export(study.root, target)
    assert sentence.endswith("8 runs of 2 arms, 0 of them new, 0 extended")

    stored = Stored(mlflow, target.place, content.name)
    assert stored.count == 8
    expected = [(row["epoch"], row["test/accuracy"]) for row in rows]
    assert stored.history("baseline/seed=0", "test/accuracy") == expected
    worse = stored.runs["worse"]
    assert worse.data.tags["verdict"] == content.arms[1].verdict
    assert worse.data.metrics["difference"] == content.arms[1].numbers["difference"]
    assert worse.data.params["train.lr"] == "0.02"
    assert worse.info.status == "FINISHED"
    for seed, status in ((0, "FINISHED"), (1, "FAILED")):
        child = stored.runs[f"worse/seed={seed}"]
        assert child.info.status == status
        assert child.data.tags["mlflow.parentRunId"] == worse.info.run_id


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_server_that_does_not_answer_is_a_sentence(study, mlflow):
    with pytest.raises(TrackerDown, match=r"http://127.0.0.1:9: the server does not answer$"):
        export(study.root, Target("mlflow", "http://127.0.0.1:9"))


# --- Weights & Biases, offline ---


def stored_records(file: Path) -> Iterator[bytes]:
    """Yield the records of a .wandb file: a header of 7 bytes, then LevelDB's log format."""
    content = file.read_bytes()
    assert content[:4] == b":W&B"
    place, record = 7, b""
    while place + 7 <= len(content):
        left = 32768 - place % 32768
        if left < 7:
            place += left  # records do not begin in the last bytes of a block
            continue
        length, kind = struct.unpack("<HB", content[place + 4 : place + 7])
        record += content[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):  # whole, or its last part
            yield record
            record = b""


def records(folder: Path) -> dict[str, dict]:
    """Id of each run in the folder → its group, name, steps and summary, in its library's classes."""
    from wandb.proto import wandb_internal_pb2

    found: dict[str, dict] = {}
    for file in folder.rglob("*.wandb"):
        run: dict = {"steps": [], "summary": {}}
        for data in stored_records(file):
            record = wandb_internal_pb2.Record()
            record.ParseFromString(data)
            kind = record.WhichOneof("record_type")
            if kind == "run" and "group" not in run:
                run |= {"group": record.run.run_group, "name": record.run.display_name}
                assert record.run.run_id not in found
                found[record.run.run_id] = run
            elif kind == "history":
                run["steps"].append(record.history.step.num)
            elif kind == "summary":
                for item in record.summary.update:
                    key = item.key or "/".join(item.nested_key)
                    run["summary"][key] = json.loads(item.value_json)
    return found


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_wandb_has_every_run_and_every_epoch_once(study, tmp_path, monkeypatch):
    pytest.importorskip("wandb")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    target = Target("wandb-offline", str(tmp_path / "offline"))
    for _ in range(2):
        sentence = export(study.root, target)
    assert sentence.endswith("8 runs of 2 arms, 0 of them new, 0 extended")
    content = read_content(study.root)
    found = records(tmp_path / "offline")
    assert len(found) == 8
    for arm in content.arms:
        assert found[arm.key]["summary"]["verdict"] == arm.verdict
        assert found[arm.key]["group"] == arm.name
        for seed in arm.seeds:
            assert found[seed.key]["steps"] == [row["epoch"] for row in seed.rows]
            assert found[seed.key]["group"] == arm.name
