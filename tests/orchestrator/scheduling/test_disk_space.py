"""Room for the results: compared with the disk as trials tell their size."""

from pathlib import Path

import pytest

from orchestrator.scheduling import disk_space as room_module
from orchestrator.scheduling.disk_space import Room, free_bytes
from orchestrator.study.load import Study, load_study


@pytest.fixture
def study(tmp_path: Path) -> Study:
    path = tmp_path / "s.yaml"
    path.write_text(
        "name: s\nseeds: [0, 1]\nbase: {model: {name: small_cnn, width: 4}, train: {epochs: 2}, "
        "method: {warmup_epochs: 1}}\n"
        "arms: {one_network: {method.networks: 1}}\n"
    )
    return load_study(path)


def test_trials_that_do_not_fit_on_the_disk_are_told_with_both_sizes(study, tmp_path, monkeypatch):
    monkeypatch.setattr(room_module, "free_bytes", lambda path: 1000)
    room = Room(tmp_path, study.trials, slots=2)
    assert room.lacking("baseline/seed=0", 300, 250) == (
        f"the missing trials need about 1.1 kB, and 1.0 kB are free at {tmp_path}"
    )


def test_each_kind_of_trial_counts_with_its_own_size_and_once(study, tmp_path, monkeypatch):
    room = Room(tmp_path, study.trials, slots=2)
    monkeypatch.setattr(room_module, "free_bytes", lambda path: 900)
    assert room.lacking("baseline/seed=0", 300, 100) is None  # 2 · 300 + 2 · 100
    # One of the first kind is on the disk now; 300 + 2 · 200 + 2 · 100 just fit, and 2 · 201 do not.
    assert room.lacking("one_network/seed=0", 200, 50) is None
    monkeypatch.setattr(room_module, "free_bytes", lambda path: 499)
    assert room.lacking("one_network/seed=1", 100, 50) == (
        f"the missing trials need about 600 bytes, and 499 bytes are free at {tmp_path}"
    )


def test_a_trial_that_begins_again_is_not_counted_again(study, tmp_path, monkeypatch):
    room = Room(tmp_path, study.trials, slots=1)
    assert room.lacking("baseline/seed=0", 1, 1) is None
    monkeypatch.setattr(room_module, "free_bytes", lambda path: 0)
    assert room.lacking("baseline/seed=0", 1, 1) is None


def test_a_trial_that_was_added_later_counts_by_itself(study, tmp_path, monkeypatch):
    """Of a search nothing is known from the start, of a sequential study the first seeds."""
    room = Room(tmp_path, [], slots=2)
    monkeypatch.setattr(room_module, "free_bytes", lambda path: 500)
    assert room.lacking("trial-0000/seed=0", 300, 200) is None
    assert "need about 501 bytes" in (room.lacking("trial-0001/seed=0", 300, 201) or "")
    assert room.lacking("trial-0001/seed=0", 300, 201) is None, "it begins again"


def test_free_space_of_a_folder_that_will_be_made(tmp_path):
    assert free_bytes(tmp_path / "not" / "yet") == pytest.approx(free_bytes(tmp_path), rel=0.2)
    assert free_bytes(Path("results/tiny")) > 0
