"""Exports to trackers: what they get, and that repeated and interrupted exports double nothing."""

import json
import shutil
import struct
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.results.read import read_results
from analysis.results.registration import Question, Registered, add_entry
from orchestrator.exit_codes import Ended
from orchestrator.trackers import mlflow_tracker, repeat
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


def test_keys_of_two_studies_of_one_name_differ(tmp_path):
    keys = set()
    for place, began in (("mine", 1e9), ("yours", 1e9 + 1)):
        folder = StudyFolder(tmp_path / place)
        folder.arm("baseline", 90.0, config=CONFIG).registered = False
        asked = Question("text", "m", None, 0.5, [0], {"baseline": "id"})
        folder.write()
        add_entry(folder.root, Registered(began, 0, asked))
        (arm,) = read_content(folder.root).arms
        keys |= {arm.key, arm.seeds[0].key}
    assert len(keys) == 4


def test_the_configuration_of_an_arm_has_nothing_of_a_seed(tmp_path):
    config = {**CONFIG, "from_arm": "id of the trial that seed 0 uses"}
    folder = StudyFolder(tmp_path / "study").arm("baseline", 90.0, config=config)
    folder.write()
    (arm,) = read_content(folder.root).arms
    assert set(arm.config) == {"train.lr", "train.epochs", "method.name"}


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


def test_the_command_for_later_is_quoted(program, study):
    (program / "down").touch()
    root = study.root.rename(study.root.with_name("my study"))
    said: list[str] = []
    with repeat.tracked(Target("wandb-offline", "/my offline"), root, said.append):
        pass
    assert said[-1].endswith(f"--to 'wandb-offline:/my offline' '{root}'")


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


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory) -> Path:
    """An empty database of MLflow, which takes long to make."""
    mlflow = pytest.importorskip("mlflow")
    file = tmp_path_factory.mktemp("mlflow") / "empty.db"
    mlflow.MlflowClient(f"sqlite:///{file}").search_experiments()
    return file


@pytest.fixture
def mlflow(empty_store, tmp_path, monkeypatch):
    """The library, and an empty database in `tmp_path`, where files are stored too."""
    shutil.copyfile(empty_store, tmp_path / "mlflow.db")
    monkeypatch.chdir(tmp_path)
    return pytest.importorskip("mlflow")


@pytest.fixture
def store(mlflow, tmp_path) -> Target:
    return Target("mlflow", f"sqlite:///{tmp_path}/mlflow.db")


class Stored:
    """What MLflow holds of a study."""

    def __init__(self, mlflow, uri: str, study: str):
        self.client = mlflow.MlflowClient(uri)
        experiment = self.client.get_experiment_by_name(study)
        found = self.client.search_runs([experiment.experiment_id])
        self.superseded = [run for run in found if "dividemix.superseded" in run.data.tags]
        self.runs = {run.info.run_name: run for run in found if run not in self.superseded}
        self.count = len(found)

    def history(self, name: str, metric: str) -> list[tuple[int, float]]:
        found = self.client.get_metric_history(self.runs[name].info.run_id, metric)
        return [(metric.step, metric.value) for metric in found]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_mlflow_has_every_run_and_every_epoch_once(study, mlflow, store):
    target = store
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
    identity = stored.runs["baseline/seed=0"].info.run_id
    cut.set_tag(identity, "dividemix.epochs", "1")
    cut.set_tag(identity, "dividemix.rows", mlflow_tracker._rows_checksum(rows, 1))
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


@pytest.fixture
def fresh(tmp_path) -> Callable[[], StudyFolder]:
    """A function that empties the study's `runs` and returns the study, to be trained again."""
    folder = StudyFolder(tmp_path / "study")

    def begin() -> StudyFolder:
        shutil.rmtree(folder.root / "runs", ignore_errors=True)
        folder.records = []
        return folder

    return begin


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_trial_that_was_trained_again_gets_a_new_run(fresh, mlflow, store):
    export(fresh().arm("baseline", 90.0, 91.0, config=CONFIG).write(), store)
    before = Stored(mlflow, store.place, "small").runs["baseline/seed=0"].info.run_id
    root = fresh().arm("baseline", 70.0, 91.0, config=CONFIG).write()
    sentence = export(root, store)
    assert sentence.endswith("3 runs of 1 arms, 1 of them new, 2 extended")

    stored = Stored(mlflow, store.place, "small")
    assert stored.history("baseline/seed=0", "test/accuracy") == [(1, 68.0), (2, 69.0), (3, 70.0)]
    (old,) = stored.superseded
    assert (old.info.run_id, old.info.status) == (before, "KILLED")
    assert old.data.tags["mlflow.note.content"] == (
        "Superseded by another run: the trial was trained again."
    )
    assert export(root, store).endswith("0 of them new, 0 extended")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_trial_that_resumed_from_an_earlier_checkpoint_keeps_its_run(study, mlflow, store):
    content = read_content(study.root)
    arm = content.arms[0]
    seed = arm.seeds[0]
    rows = [{**row, "time/epoch_s": 1.0} for row in seed.rows]
    again = [rows[0], *({**row, "time/epoch_s": 2.0} for row in rows[1:])]
    for found, status in ((rows[:2], "running"), (again[:1], "running"), (again, "finished")):
        now = replace(seed, rows=found, status=status, summary={})
        store.export(replace(content, arms=[replace(arm, seeds=[now])]))
    stored = Stored(mlflow, store.place, "small")
    assert not stored.superseded
    expected = [(row["epoch"], row["test/accuracy"]) for row in rows]
    assert stored.history("baseline/seed=0", "test/accuracy") == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_an_arm_with_another_configuration_gets_new_runs(fresh, mlflow, store):
    export(fresh().arm("baseline", 90.0, config=CONFIG).write(), store)
    changed = {**CONFIG, "train": {"lr": 0.05, "epochs": 3}}
    root = fresh().arm("baseline", 80.0, config=changed).write()
    export(root, store)

    stored = Stored(mlflow, store.place, "small")
    assert stored.runs["baseline"].data.params["train.lr"] == "0.05"
    assert stored.runs["baseline"].data.metrics["mean"] == 80.0
    assert stored.runs["baseline/seed=0"].data.tags["mlflow.parentRunId"] == (
        stored.runs["baseline"].info.run_id
    )
    assert {run.info.run_name: run.info.status for run in stored.superseded} == {
        "baseline": "KILLED",
        "baseline/seed=0": "KILLED",
    }
    assert export(root, store).endswith("0 of them new, 0 extended")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_a_store_of_files_that_is_down_keeps_nothing_else_from_mlflow(
    study, mlflow, store, monkeypatch
):
    def refuse(client, run_id, path):
        raise ModuleNotFoundError("No module named 'boto3'")

    with monkeypatch.context() as patched:
        patched.setattr(mlflow.MlflowClient, "log_artifact", refuse)
        with pytest.raises(TrackerDown, match=r"metrics are exported, but .*: No module .*boto3'$"):
            export(study.root, store)
    stored = Stored(mlflow, store.place, "small")
    assert stored.count == 8
    assert {run.info.status for run in stored.runs.values()} == {"FINISHED", "FAILED"}
    export(study.root, store)
    files = stored.client.list_artifacts(stored.runs["baseline"].info.run_id)
    assert [file.path for file in files] == ["study.yaml"]


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


@pytest.fixture
def wandb(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("WANDB_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("WANDB_CONFIG_DIR", str(tmp_path / "config"))
    return pytest.importorskip("wandb")


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_wandb_has_every_run_and_every_epoch_once(study, tmp_path, wandb):
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


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_wandb_gets_a_report_that_is_written_after_the_last_trial(study, tmp_path, wandb):
    target = Target("wandb-offline", str(tmp_path / "offline"))
    export(study.root, target)
    page = study.root / "report" / "index.html"
    page.parent.mkdir()
    page.write_text("<p>The report.</p>")
    assert export(study.root, target).endswith("0 of them new, 1 extended")
    (copy,) = (tmp_path / "offline").rglob("index.html")
    assert copy.read_bytes() == page.read_bytes()
    assert export(study.root, target).endswith("0 of them new, 0 extended")


@pytest.mark.filterwarnings("default")
def test_an_error_of_wandb_is_a_sentence(study, tmp_path, wandb, monkeypatch):
    def refuse(**settings):
        raise wandb.errors.UsageError("Invalid project name\nand more")

    monkeypatch.setattr(wandb, "init", refuse)
    with pytest.raises(TrackerDown, match=r"offline: Weights & Biases: Invalid project name$"):
        export(study.root, Target("wandb-offline", str(tmp_path / "offline")))
