"""A study whose data change between two runs: told by every command, and not compared as one."""

from pathlib import Path

import numpy as np
import pytest

from analysis.results.read import read_results
from orchestrator.results.store import Store
from orchestrator.study.load import load_study
from trainable.config.runtime import Machine
from trainable.trial.session import Session

STUDY = """
name: tiny
seeds: [0, 1]
base:
  data: {name: npz, path: d.npz, crop_padding: 0}
  model: {name: small_cnn, width: 4}
  train: {epochs: 2, batch_size: 32}
  method: {name: cross_entropy}
"""


def write_data(folder: Path, images: int) -> None:
    random = np.random.default_rng(0)
    arrays = {
        "train_images": random.integers(0, 256, (images, 8, 8), np.uint8),
        "train_labels": np.arange(images) % 3,
        "test_images": random.integers(0, 256, (9, 8, 8), np.uint8),
        "test_labels": np.arange(9) % 3,
    }
    np.savez(folder / "d.npz", **arrays)


def train(study: Path, seed: int) -> None:
    """Train the trial of a seed, as a run would."""
    loaded = load_study(study)
    store = Store(Path("results/tiny"))
    store.write_plan(loaded.text, loaded.plan)
    for trial in loaded.trials:
        if trial.record.seed == seed:
            session = Session(
                trial.config, store.folder(trial.record).path, Machine(study_dir=study.parent)
            )
            while not session.finished:
                session.advance()
            session.close()


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    file = tmp_path / "tiny.yaml"
    file.write_text(STUDY)
    return file


def test_finished_trials_on_other_data_are_named_and_refused_until_they_are_archived(
    study, tmp_path, command
):
    write_data(tmp_path, 60)
    train(study, 0)
    write_data(tmp_path, 90)
    train(study, 1)
    reason = "baseline/seed=0: trained on other data than baseline/seed=1, which is newer"

    trials = read_results(Path("results/tiny")).trials
    assert trials["state"].tolist() == ["stale", "done"]
    assert trials["reason"].tolist()[0] in reason
    code, out, _ = command("status", "results/tiny")
    assert code == 0
    assert f"stale: {reason}" in out
    code, out, _ = command("plan", study)
    assert code == 0
    assert "a run refuses this" in out
    assert reason in out
    code, _, err = command("run", study)
    assert code == 3
    assert reason in err
    code, out, _ = command("plan", study, "--stale", "archive")
    assert "to archive: baseline/seed=0" in out
    assert "to train: 2 epochs in 1 trials" in out


def test_a_file_of_given_labels_is_identified_by_its_labels(study, tmp_path, command):
    labels = [int(label) for label in (np.arange(60) + 1) % 3]
    write_data(tmp_path, 60)
    study.write_text(STUDY.replace("  model:", "  noise: {name: file, path: given.json}\n  model:"))
    (tmp_path / "given.json").write_text(str(labels))
    train(study, 0)
    (tmp_path / "given.json").write_text(str(labels).replace(" ", "\n"))
    code, out, _ = command("plan", study, "--seeds", "0")
    assert "1 done" in out

    (tmp_path / "given.json").write_text(str(labels[1:] + labels[:1]))
    code, out, _ = command("plan", study, "--seeds", "0")
    assert code == 0
    assert "a run refuses this" in out
    assert "baseline/seed=0" in out
