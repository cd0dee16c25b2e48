"""Random histories of two trials, cut short at any file operation: nothing durable is lost, no state is misread."""

import pytest

from tests.orchestrator.results.histories import Histories, explore, prepare
from trainable.storage.trial_folder import TrialFolder


def test_no_history_of_crashes_loses_an_epoch_or_misreads_a_state(tmp_path, monkeypatch):
    faults = prepare(Histories, tmp_path, monkeypatch)
    explore(Histories, examples=60)
    assert faults.operations > 1_000


@pytest.mark.nightly
def test_no_history_of_crashes_loses_an_epoch_in_a_long_search(tmp_path, monkeypatch):
    faults = prepare(Histories, tmp_path, monkeypatch)
    explore(Histories, examples=500)
    assert faults.operations > 10_000


def test_a_checkpoint_cut_short_is_set_aside_and_the_one_before_it_is_used(tmp_path):
    folder = TrialFolder(tmp_path)
    folder.claim()
    for state in b"first", b"second":
        folder.save_checkpoint(state)
    newest = tmp_path / "checkpoint.pt"
    newest.write_bytes(newest.read_bytes()[:-1])
    assert list(folder.load_checkpoints()) == [b"first"]
    assert (tmp_path / "checkpoint.damaged").exists()
