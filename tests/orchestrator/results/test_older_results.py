"""A results folder that was trained at commit 1ada2c1, under schema 2: it is read and shown, and never added to."""

import csv
import json
import shutil
import sys
from pathlib import Path

import pytest

from orchestrator.study.load import load_study
from trainable.config.trial import SCHEMA, stored_config, trial_id

OLDER = Path(__file__).parents[2] / "fixtures" / "results_1ada2c1"
ARMS = ["baseline", "no_co_refine", "co_teaching_plus", "own"]


@pytest.fixture(autouse=True)
def older(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a copy of the study, its own method and its results; Ray cannot be imported."""
    place = tmp_path / "older"
    shutil.copytree(OLDER, place)
    monkeypatch.chdir(place)
    for name in ("ray", "orchestrator.ray_backend.execute"):
        monkeypatch.setitem(sys.modules, name, None)
    return place


@pytest.fixture
def schema_2(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ids of that version."""
    monkeypatch.setattr("trainable.config.trial.SCHEMA", 2)


def test_the_trials_have_the_ids_that_the_older_version_gave_them(older, schema_2):
    trials = [trial.record for trial in load_study(older / "small.yaml").trials]
    planned = json.loads((older / "small" / "trials.json").read_text())["trials"]
    assert {trial.name: trial.id for trial in trials} == {
        trial["folder"].removeprefix("runs/"): trial["id"] for trial in planned
    }
    assert [trial.id for trial in trials if trial.arm == "own"] == [
        "f4b78596bcad36fd",
        "07e0b99d5a321960",
    ]


def test_the_own_method_imports_modules_by_their_former_names():
    text = (OLDER / "trimmed.py").read_text()
    assert "from trainable.learner import" in text
    assert "from trainable.section import" in text


def test_stored_configurations_are_read_and_have_their_id(older, schema_2):
    files = sorted((older / "small" / "runs").rglob("trial.json"))
    assert len(files) == 8
    contents = [json.loads(file.read_text()) for file in files]
    assert any("as_published" in content["config"]["method"] for content in contents)
    for content in contents:
        assert trial_id(stored_config(content["config"], own_code=True)) == content["id"]


def test_the_older_folder_is_shown_as_it_was(command):
    code, out, err = command("status", "small")
    assert (code, err) == (0, "")
    for arm in ARMS:
        assert arm in out
    assert "stale" not in out


def test_its_trials_are_stale_for_this_version_in_one_sentence(command, older):
    before = {path: path.stat().st_mtime_ns for path in (older / "small" / "runs").rglob("*")}
    code, out, _ = command("plan", "small.yaml", "--results", ".")
    assert code == 0
    assert "small: 8 trials: 8 stale" in out
    code, _, err = command("run", "small.yaml", "--results", ".")
    assert code == 3
    [sentence] = err.splitlines()
    assert sentence.startswith("8 trials in small/runs were trained by an earlier version")
    assert "--stale archive" in sentence
    after = {path: path.stat().st_mtime_ns for path in (older / "small" / "runs").rglob("*")}
    assert after == before


def test_a_folder_with_trials_of_both_versions_names_those_of_the_older(command, older):
    text = (older / "small.yaml").read_text()
    assert "networks" not in text
    trial = older / "small" / "runs" / "baseline" / "seed=0" / "trial.json"
    about = json.loads(trial.read_text())
    trial.write_text(json.dumps({**about, "schema": SCHEMA}))
    code, _, err = command("run", "small.yaml", "--results", ".")
    assert code == 3
    assert "  baseline/seed=0\n" in err
    assert "  baseline/seed=1: trained by an earlier version" in err


def test_the_report_has_a_row_for_each_arm(command, older):
    code, _, err = command("report", "small")
    assert (code, err) == (0, "")
    report = older / "small" / "report"
    assert (report / "index.html").is_file()
    with (report / "tables" / "arms.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["arm"] for row in rows} == set(ARMS)
