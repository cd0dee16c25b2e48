"""Sentences about the state of a study."""

from pathlib import Path

import pytest

from analysis.results.trial_files import read_folders
from orchestrator.display.status import failed, failures, notes
from orchestrator.results.store import Store
from tests.orchestrator.folders import make_trial, record


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "s")


def test_failures_have_name_kind_and_message(store):
    trials = [record("a"), record("b"), record("c")]
    states = dict(zip(trials, ["failed", "done", "todo"], strict=True))
    for trial, state in states.items():
        make_trial(store, trial, state)
    assert failures(store, states) == [{"name": "a/seed=0", "kind": "data", "message": "it broke"}]
    assert failed(store, states) == ["failed: a/seed=0: data: it broke"]


def test_a_note_names_accuracies_on_unchecked_test_labels(store):
    trials = [record("baseline", seed) for seed in range(2)]
    for trial in trials:
        make_trial(store, trial, "done", test_labels="unchecked")
    files = read_folders(store.root, trials)
    states = dict.fromkeys(trials, "done")
    assert notes(trials, states, files)[0] == "accuracies are agreement with unchecked test labels"
