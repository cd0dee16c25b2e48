from pathlib import Path

import pytest

from orchestrator import cost
from orchestrator.store import Store
from orchestrator.study import Study, load
from trainable.machine import Machine


@pytest.fixture
def study(tmp_path: Path) -> Study:
    path = tmp_path / "s.yaml"
    path.write_text("name: s\nseeds: [0, 1]\nbase: {model: {name: small_cnn, width: 4}, train: {epochs: 2}}\n")
    return load(path)


def test_trials_that_do_not_fit_on_the_disk_are_told_with_both_sizes(study, tmp_path, monkeypatch):
    monkeypatch.setattr(cost, "free_bytes", lambda path: 1000)
    told = cost.lacking_space(study, study.trials, Store(tmp_path / "s"), Machine())
    assert told is not None
    assert told.startswith("2 trials need about ")
    assert told.endswith(f"1.0 kB are free at {tmp_path / 's'}")


def test_trials_that_fit_are_not_mentioned(study, tmp_path):
    assert cost.lacking_space(study, study.trials, Store(tmp_path / "s"), Machine()) is None


def test_wrong_data_is_left_to_the_trial_to_report(tmp_path):
    path = tmp_path / "s.yaml"
    path.write_text("name: s\nseeds: [0]\nbase: {data: {name: npz, path: broken.npz}}\n")
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    study = load(path)
    assert cost.lacking_space(study, study.trials, Store(tmp_path / "s"), Machine(study_dir=tmp_path)) is None
