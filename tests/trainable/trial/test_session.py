import errno
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.errors import NonFiniteLoss
from trainable.storage.trial_folder import TrialFolder
from trainable.trial import session as sessions
from trainable.trial.session import Session
from trainable.trial.trial import Trial, _saved


def config(epochs: int = 4, **method: Any) -> TrialConfig:
    return TrialConfig.model_validate(
        {
            "data": {"name": "digits", "validation_fraction": 0.1},
            "noise": {"name": "symmetric", "rate": 0.4},
            "model": {"name": "small_cnn", "width": 4},
            "train": {"epochs": epochs},
            "method": {"name": "dividemix", "warmup_epochs": 1, **method},
        }
    )


def untimed(folder: TrialFolder) -> list[dict[str, Any]]:
    return [{k: v for k, v in row.items() if not k.startswith("time/")} for row in folder.rows()]


@pytest.fixture
def undisturbed(tmp_path: Path) -> TrialFolder:
    session = Session(config(), tmp_path / "undisturbed", Machine())
    while not session.finished:
        session.advance()
    session.close()
    return session.folder


def test_a_finished_trial_leaves_its_results_and_no_checkpoint(undisturbed):
    names = {path.name.split(".out")[0] for path in undisturbed.path.iterdir()}
    assert names == {
        "trial.json",
        "metrics.jsonl",
        "model.pt",
        "best.pt",
        "samples.npz",
        "summary.json",
        "events",
    }


@pytest.mark.parametrize("every", [1, 3])
def test_a_stopped_session_keeps_its_last_epoch_whatever_checkpoint_every(
    tmp_path, undisturbed, every
):
    machine = Machine(checkpoint_every=every)
    first = Session(config(), tmp_path / "t", machine)
    first.advance()
    first.advance()
    first.close()
    second = Session(config(), tmp_path / "t", machine)
    assert second.trial is not None
    assert second.trial.epoch == 2
    while not second.finished:
        second.advance()
    second.close()
    assert untimed(second.folder) == untimed(undisturbed)
    steps = EventAccumulator(str(tmp_path / "t")).Reload().Scalars("test/accuracy")
    assert [event.step for event in steps] == [1, 2, 3, 4]


def test_between_checkpoints_a_killed_session_repeats_its_epochs_to_the_same_rows(
    tmp_path, undisturbed
):
    killed = Session(config(), tmp_path / "t", Machine(checkpoint_every=2))
    for _ in range(3):
        killed.advance()  # epoch 3 has a row and no checkpoint; the session is never closed
    assert len(killed.folder.rows()) == 3
    time.sleep(
        1.1
    )  # TensorBoard reads files in the order of their names, which begin with the second
    second = Session(config(), tmp_path / "t", Machine(checkpoint_every=2))
    assert len(second.folder.rows()) == 2
    while not second.finished:
        second.advance()
    second.close()
    assert untimed(second.folder) == untimed(undisturbed)
    steps = EventAccumulator(str(tmp_path / "t")).Reload().Scalars("test/accuracy")
    assert [event.step for event in steps] == [1, 2, 3, 4], "no step is there twice"


def test_a_session_that_stopped_before_its_summary_writes_it_without_training(
    tmp_path, undisturbed, monkeypatch
):
    monkeypatch.setattr(
        TrialFolder, "finish", lambda self, summary: (_ for _ in ()).throw(RuntimeError("killed"))
    )
    first = Session(config(), tmp_path / "t", Machine())
    for _ in range(3):
        first.advance()
    with pytest.raises(RuntimeError, match="killed"):
        first.advance()
    monkeypatch.undo()
    second = Session(config(), tmp_path / "t", Machine())
    assert second.finished
    assert second.folder.summary is not None
    assert second.folder.failure is None
    assert untimed(second.folder) == untimed(undisturbed)


def test_a_full_disk_ends_the_session_names_the_place_and_is_no_failure_of_the_trial(
    tmp_path, undisturbed, monkeypatch
):
    session = Session(config(), tmp_path / "t", Machine())
    session.advance()
    with monkeypatch.context() as patch:

        def full(self: TrialFolder, state: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device", str(self.path / "checkpoint.pt"))

        patch.setattr(TrialFolder, "save_checkpoint", full)
        assert session.advance() is None
    assert session.finished
    assert session.no_space == f"{tmp_path / 't' / 'checkpoint.pt'}: No space left on device"
    session.close()
    assert session.folder.failure is None
    second = Session(config(), tmp_path / "t", Machine())
    while not second.finished:
        second.advance()
    second.close()
    assert untimed(second.folder) == untimed(undisturbed)


def test_a_trial_beyond_its_timeout_is_a_named_failure_and_resumes_from_there_later(
    tmp_path, undisturbed
):
    session = Session(config(), tmp_path / "t", Machine(trial_timeout=1e-9, checkpoint_every=3))
    assert session.advance() is None
    assert session.finished
    session.close()
    failure = session.folder.failure
    assert failure is not None
    assert (failure["kind"], failure["retry"], failure["epoch"]) == ("timeout", False, 1)
    assert "run.trial_timeout" in failure["message"]
    second = Session(config(), tmp_path / "t", Machine())
    assert second.trial is not None
    assert second.trial.epoch == 1
    while not second.finished:
        second.advance()
    second.close()
    assert untimed(second.folder) == untimed(undisturbed)


@pytest.mark.parametrize(
    ("error", "kind", "retry"),
    [
        (MemoryError(), "out of memory", True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "out of memory", True),
        (sessions.torch.OutOfMemoryError("CUDA out of memory"), "out of memory", True),
        (KeyError("x"), "KeyError", True),
        (NonFiniteLoss("the loss is nan"), "non-finite loss", False),
    ],
)
def test_what_ends_an_epoch_is_named_with_its_traceback(tmp_path, monkeypatch, error, kind, retry):
    session = Session(config(), tmp_path / "t", Machine())
    session.advance()
    assert session.trial is not None

    def broken() -> None:
        raise error

    monkeypatch.setattr(session.trial.method, "train_epoch", broken)
    if retry:
        with pytest.raises(type(error)):
            session.advance()
    else:
        assert session.advance() is None
        assert session.finished
    session.close()
    failure = session.folder.failure
    assert failure is not None
    assert (failure["kind"], failure["retry"], failure["epoch"], failure["attempts"]) == (
        kind,
        retry,
        1,
        1,
    )
    assert "in broken" in failure["traceback"]
    # The state in the middle of an epoch is never kept.
    assert Session(config(), tmp_path / "t", Machine()).trial.epoch == 1


def test_a_trial_that_a_scheduler_stopped_keeps_its_rows_and_no_checkpoint(tmp_path):
    session = Session(config(), tmp_path / "t", Machine())
    session.advance()
    session.advance()
    TrialFolder(tmp_path / "t").stop(2, "asha")  # by the search, while the session has the folder
    session.close()
    assert len(session.folder.rows()) == 2
    assert session.folder.stopped == {"epoch": 2, "reason": "asha"}
    assert not session.folder.has_checkpoint
    assert session.folder.owner is None


@pytest.mark.parametrize("name", ["summary.json", "metrics.jsonl", "samples.npz"])
def test_a_damaged_result_is_trained_again_and_its_summary_kept(tmp_path, name):
    session = Session(config(), tmp_path / "t", Machine())
    while not session.finished:
        session.advance()
    session.close()
    before = untimed(session.folder)
    summary = (tmp_path / "t" / "summary.json").read_bytes()
    path = tmp_path / "t" / name
    path.write_bytes(path.read_bytes().replace(b"1", b"2"))
    again = Session(config(), tmp_path / "t", Machine())
    assert not again.finished
    while not again.finished:
        again.advance()
    again.close()
    assert untimed(again.folder) == before
    assert again.folder.summary is not None
    kept = (tmp_path / "t" / "summary.damaged").read_bytes()
    assert (kept == summary) == (name != "summary.json")
    assert f"{name} " in (tmp_path / "t" / "train.log").read_text()


# --- data that change between two sessions ---


def write_data(folder: Path, images: int, classes: int = 3, labels_from: int = 0) -> None:
    random = np.random.default_rng(0)
    arrays = {
        "train_images": random.integers(0, 256, (images, 8, 8), np.uint8),
        "train_labels": (np.arange(images) + labels_from) % classes,
        "test_images": random.integers(0, 256, (9, 8, 8), np.uint8),
        "test_labels": np.arange(9) % classes,
    }
    np.savez(folder / "d.npz", **arrays)
    (folder / "given.json").write_text(json.dumps(((np.arange(images) + 1) % classes).tolist()))


CHANGES = {
    "other labels": (lambda folder: write_data(folder, 60, labels_from=1), "the data have"),
    "more images": (lambda folder: write_data(folder, 90), "the data and the given labels"),
    "other given labels": (
        lambda folder: (folder / "given.json").write_text(json.dumps([0, 2, 1] * 20)),
        "the given labels have",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_checkpoint_of_other_data_is_not_resumed_and_the_trial_starts_anew(tmp_path, change):
    of_file = TrialConfig.model_validate(
        {
            "data": {"name": "npz", "path": "d.npz", "crop_padding": 1, "validation_fraction": 0.1},
            "noise": {"name": "file", "path": "given.json"},
            "model": {"name": "small_cnn", "width": 4},
            "train": {"epochs": 3, "batch_size": 16},
            "method": {"name": "cross_entropy"},
        }
    )
    machine = Machine(study_dir=tmp_path)
    write_data(tmp_path, 60)
    first = Session(of_file, tmp_path / "t", machine)
    first.advance()
    first.advance()
    first.close()
    alter, words = CHANGES[change]
    alter(tmp_path)

    folders = []
    for name in ("t", "fresh"):
        session = Session(of_file, tmp_path / name, machine)
        assert session.trial is not None
        assert session.trial.epoch == 0
        while not session.finished:
            session.advance()
        session.close()
        folders.append(session.folder)
    resumed, fresh = folders
    assert untimed(resumed) == untimed(fresh)
    log = (resumed.path / "train.log").read_text()
    assert f"a checkpoint is not used: {words}" in log
    assert "the trial starts anew" in log
    assert resumed.failure is None


def test_a_checkpoint_of_an_earlier_version_without_hashes_is_resumed(tmp_path, monkeypatch):
    saved = Trial.state
    monkeypatch.setattr(
        Trial, "state", lambda self: _saved(self.method.state_dict())
    )  # as before hashes were saved
    first = Session(config(), tmp_path / "t", Machine())
    first.advance()
    first.close()
    monkeypatch.setattr(Trial, "state", saved)
    second = Session(config(), tmp_path / "t", Machine())
    assert second.trial is not None
    assert second.trial.epoch == 1
    second.close()
