"""The contract of a results folder: one state of a trial, asked by `status`, `plan` and the report alike."""

import pytest

from analysis.results.read import read_results
from analysis.results.study_folder import study_states, trial_state
from analysis.results.study_plan import StudyPlan, TrialRecord
from analysis.results.trial_files import TrialFiles
from orchestrator.results.store import Store

TRIAL = {"id": "1"}
RETRIED = {"kind": "k", "message": "m", "retry": True, "attempts": 1}
FINAL = {**RETRIED, "retry": False}


def record(arm: str, source: str | None = None) -> TrialRecord:
    return TrialRecord("1", None, arm, 0, None, None, 3, source)


@pytest.mark.parametrize(
    ("files", "alive", "expected"),
    [
        (TrialFiles(), False, "todo"),
        (TrialFiles(True), False, "todo"),
        (TrialFiles(True, damage="d"), True, "damaged"),
        (TrialFiles(True, {"id": "2"}, damage="d"), False, "damaged"),
        (TrialFiles(True, {"id": "2"}), False, "stale"),
        (TrialFiles(True, {"id": "2"}, summary={}), False, "stale"),
        (TrialFiles(True, TRIAL, summary={}, failure=FINAL), True, "done"),
        (TrialFiles(True, TRIAL, stopped={}, failure=FINAL), False, "stopped"),
        (TrialFiles(True, TRIAL, failure=FINAL, has_checkpoint=True), True, "failed"),
        (TrialFiles(True, TRIAL, failure=RETRIED, has_checkpoint=True), False, "partial"),
        (TrialFiles(True, TRIAL, failure=RETRIED), False, "todo"),
        (TrialFiles(True, TRIAL, failure={**RETRIED, "attempts": 3}), False, "failed"),
        (TrialFiles(True, TRIAL, failure={"kind": "damaged"}), False, "failed"),
        (TrialFiles(True, TRIAL, failure=RETRIED), True, "running"),
        (TrialFiles(True, TRIAL, has_checkpoint=True), False, "partial"),
    ],
)
def test_what_the_files_hold_decides_on_the_state(files, alive, expected):
    assert trial_state(files, "1", 2, alive) == expected


def test_a_trial_is_blocked_if_one_that_it_depends_on_has_failed_however_far_away():
    chain = [
        record("a"),
        record("b", "a/seed=0"),
        record("c", "b/seed=0"),
        record("d", "never/planned"),
    ]
    files = {
        "a/seed=0": TrialFiles(True, TRIAL, failure=FINAL),
        "c/seed=0": TrialFiles(True, TRIAL, summary={}),
    }
    assert list(study_states(chain, files, 2).values()) == ["failed", "blocked", "done", "todo"]


@pytest.mark.parametrize(
    ("failure", "state", "reason"),
    [
        (RETRIED, "todo", "not finished; its last attempt failed: k: m"),
        ({**RETRIED, "attempts": 3}, "failed", "k: m"),
        (FINAL, "failed", "k: m"),
    ],
)
def test_status_and_report_agree_on_a_trial_whose_attempt_failed(tmp_path, failure, state, reason):
    """They once did not: a trial that will be tried again was `todo` for the one and `failed` for the other."""
    store, trial = Store(tmp_path), record("a")
    store.write_plan("", StudyPlan("s", 2, [trial]))
    folder = store.folder(trial)
    folder.claim()
    folder.write_json("trial.json", {"id": trial.id})
    folder.write_json("failure.json", failure)
    folder.release()
    assert store.states([trial], 2) == {trial: state}
    (reported,) = read_results(tmp_path).trials.to_dict("records")
    assert (reported["state"], reported["reason"]) == (state, reason)
