"""What in a study's folder its plan does not expect, and a report that says all that is wrong, each in its place."""

import json
import re
import shutil

import pytest

from analysis.report.write import write_report
from analysis.results import unexpected_files
from analysis.results.read import read_results
from tests.analysis.material import FINGERPRINT, sample_table
from trainable.storage.checksums import signed


def unexpected(study):
    return list(unexpected_files.unexpected(study.read()))


def test_a_folder_as_planned_has_nothing_unexpected(study):
    study.arm("baseline", 70.0, "failed", "missing", samples=sample_table())
    assert unexpected(study) == []


def test_a_trial_that_left_the_study_is_named(study):
    study.arm("baseline", 70.0).arm("retired", 60.0)
    study.records.pop()
    assert unexpected(study) == ["runs/retired/seed=0: not in the study"]


def test_a_trial_under_another_name_is_named_with_the_one_that_is_planned(study):
    study.arm("baseline", 70.0).write()
    shutil.copytree(study.path("baseline", 0), study.path("renamed", 4))
    assert unexpected(study) == [
        "runs/renamed/seed=4: not in the study; it is the same trial as runs/baseline/seed=0, counted once"
    ]


@pytest.mark.parametrize("content", ["", "{", "[]", "3", '{"name": 1}'])
def test_a_trial_of_which_nobody_knows_what_it_is(study, content):
    study.arm("baseline", 70.0).write()
    path = study.path("retired", 0)
    path.mkdir(parents=True)
    (path / "trial.json").write_text(content)
    assert unexpected(study) == [
        "runs/retired/seed=0: not in the study, and its trial.json is damaged"
    ]


def test_files_that_belong_to_no_trial_are_named(study):
    study.arm("baseline", 70.0).write()
    (study.root / "runs" / "notes.txt").write_text("")
    (study.root / "runs" / "old").mkdir()
    (study.root / "runs" / "old" / "seed=1").write_text("")
    (study.root / "elsewhere.txt").write_text("")
    (study.path("baseline", 0) / "best.pt").write_bytes(b"")
    assert unexpected(study) == [
        "runs/notes.txt: belongs to no trial",
        "runs/old/seed=1: belongs to no trial",
    ]


def test_files_of_a_planned_trial_belong_to_it_though_its_trial_json_is_lost(study):
    study.arm("baseline", 70.0).write()
    (study.path("baseline", 0) / "trial.json").unlink()
    assert unexpected(study) == []


# --- the report of a folder in which everything has gone wrong ---


@pytest.fixture
def damaged(study):
    table = sample_table(classes=3)
    other = {**FINGERPRINT, "device": "cuda NVIDIA H100"}
    study.arm(
        "baseline",
        80.0,
        35.0,
        81.0,
        "missing",
        79.0,
        82.0,
        80.5,
        change={1: {"lost_classes": [2]}},
        samples=table,
        fingerprint=FINGERPRINT,
    )
    study.arm(
        "no_co_refine",
        78.0,
        77.0,
        "failed",
        78.0,
        78.5,
        78.0,
        79.0,
        samples=table,
        fingerprint=other,
    )
    root = study.write()
    shutil.copytree(study.path("baseline", 0), study.path("copy", 0))
    (root / "runs" / "notes.txt").write_text("mine")
    path = study.path("no_co_refine", 0) / "metrics.jsonl"
    path.write_bytes(path.read_bytes().replace(b'{"epoch": 2', b'{"epo', 1))
    (study.path("no_co_refine", 1) / "summary.json").write_text('{"test/acc')
    (study.path("baseline", 0) / "samples.npz").write_bytes(b"PK\x03\x04 torn")
    (study.path("baseline", 4) / "trial.json").write_text(json.dumps(signed({"id": "another"})))
    (study.path("baseline", 5) / "trial.json").unlink()
    failure = {
        "kind": "TrialError",
        "message": "loss is <b>nan</b>\n# in epoch 3",
        "retry": False,
        "attempts": 1,
    }
    (study.path("no_co_refine", 2) / "failure.json").write_text(json.dumps(failure))
    (study.path("no_co_refine", 3) / "summary.json").unlink()
    return root


SECTIONS = {
    "Trials without a result": {
        "runs/baseline/seed=0: damaged: samples.npz does not match its checksum",
        "runs/baseline/seed=3: todo: not run",
        "runs/baseline/seed=4: stale: its folder holds a trial of another configuration",
        "runs/baseline/seed=5: damaged: trial.json is missing",
        "runs/no_co_refine/seed=0: damaged: metrics.jsonl does not match its checksum",
        "runs/no_co_refine/seed=1: damaged: summary.json is not JSON",
        "runs/no_co_refine/seed=2: failed: TrialError: loss is <b>nan</b> # in epoch 3",
        "runs/no_co_refine/seed=3: todo: not finished",
    },
    "Completed runs that count as failed": {
        "runs/baseline/seed=1: 35.00 %: lost class 2: hardly predicted any more"
    },
    "Unexpected or damaged files": {
        "runs/copy/seed=0: not in the study; it is the same trial as runs/baseline/seed=0, counted once",
        "runs/notes.txt: belongs to no trial",
    },
    "Different code, libraries or devices": {
        "finished trials differ in device: cpu x86_64 (3), cuda NVIDIA H100 (3)"
    },
}


def test_a_damaged_folder_has_a_report_in_markdown_that_says_each_thing_in_its_place(damaged):
    write_report(damaged)
    text = (damaged / "report" / "report.md").read_text(encoding="utf-8")
    parts = dict(part.split("\n", 1) for part in re.split(r"^## ", text, flags=re.M)[1:])
    found = {
        title: {line[2:] for line in parts[title].splitlines() if line.startswith("- ")}
        for title in SECTIONS
    }
    assert found == SECTIONS
    assert "6 of 14 trials" in text
    assert "\n# in epoch 3" not in text


def test_a_damaged_folder_has_a_page_that_says_each_thing_in_its_place(damaged, page):
    write_report(damaged)
    found = page(damaged / "report" / "index.html")
    assert {title: set(found.lists[title]) for title in SECTIONS} == SECTIONS
    assert "b" not in found.tags, "a message is text"


def test_what_was_damaged_is_counted_nowhere(damaged):
    trials = read_results(damaged).trials
    assert sorted(trials.loc[trials["state"] == "done", "folder"]) == [
        *(f"runs/baseline/seed={seed}" for seed in (1, 2, 6)),
        *(f"runs/no_co_refine/seed={seed}" for seed in (4, 5, 6)),
    ]
