"""`verify`: what it draws, and that it finds edited rows, edited code and edited data."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from orchestrator.cli import app
from orchestrator.results.reproduce import NotATrial
from orchestrator.results.store import Store
from orchestrator.results.verify import drawn
from tests.analysis.material import signed_again
from tests.orchestrator.runs import write_study

STUDY = """
name: tiny
seeds: [0, 1, 2, 3, 4]
base:
  data: {name: npz, path: images.npz, validation_fraction: 0.1}
  model: {name: small_cnn, width: 4}
  train: {epochs: EPOCHS, batch_size: 32}
  method: {name: cross_entropy}
resources: {gpu: 0}
"""


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the study file, its data and its results."""
    folder = tmp_path_factory.mktemp("finished")
    random = np.random.default_rng(0)
    arrays = {
        f"{part}_images": random.integers(0, 256, (n, 8, 8), np.uint8)
        for part, n in (("train", 80), ("test", 20))
    }
    arrays |= {f"{part}_labels": np.arange(n) % 4 for part, n in (("train", 80), ("test", 20))}
    np.savez(folder / "images.npz", **arrays)
    study = write_study(folder, 2, STUDY)
    assert main("shard", study, "--index", "0", "--of", "1", "--results", folder) == 0
    return folder


def main(*arguments: object) -> int:
    before, sys.argv = sys.argv, ["orchestrator", *map(str, arguments)]
    try:
        app.main()
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        sys.argv = before
    return 0


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    return shutil.copytree(finished, tmp_path / "copy")


def verified(folder: Path, *options: str) -> int:
    return main("verify", folder / "tiny", "--study-dir", folder, *options)


@pytest.mark.parametrize(("fraction", "number"), [(0.0, 1), (0.2, 1), (0.5, 2), (1.0, 5)])
def test_so_many_trials_are_drawn_and_never_none(finished, fraction, number):
    records, total = drawn(Store(finished / "tiny"), fraction)
    assert (len(records), total) == (number, 5)
    assert len(set(records)) == number


def test_without_a_finished_trial_there_is_nothing_to_verify(folder):
    for summary in folder.rglob("summary.json"):
        summary.unlink()
    with pytest.raises(NotATrial, match="no completed trial"):
        drawn(Store(folder / "tiny"), 1.0)
    assert verified(folder) == 2


def test_untouched_results_hold(folder, capsys):
    assert verified(folder, "--fraction", "0.4") == 0
    out = capsys.readouterr().out
    assert out.count("identical: all 2 rows") == 2
    assert "2 of 2 gave the same rows from the same data" in out


def test_an_edited_row_is_found(folder, capsys):
    for file in folder.rglob("metrics.jsonl"):
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        rows[1]["test/accuracy"] += 5
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert verified(folder, "--fraction", "0") == 2
    assert capsys.readouterr().out.count("metrics.jsonl does not match its checksum") == 5


def test_a_row_that_was_edited_together_with_its_checksum_is_found(folder, capsys):
    for file in folder.rglob("metrics.jsonl"):
        rows = [json.loads(line) for line in file.read_text().splitlines()]
        rows[1]["test/accuracy"] += 5
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        signed_again(file)
    assert verified(folder, "--fraction", "0") == 1
    assert "different from epoch 2 on: test/accuracy" in capsys.readouterr().out


@pytest.mark.parametrize("part", ["train_images", "test_images"])
def test_one_changed_byte_of_the_data_is_found_even_if_no_row_shows_it(folder, capsys, part):
    with np.load(folder / "images.npz") as file:
        arrays = dict(file)
    arrays[part][3, 4, 4] ^= 1
    np.savez(folder / "images.npz", **arrays)
    assert verified(folder) == 1
    out = capsys.readouterr().out
    assert "differs from the original run: data" in out
    assert "0 of 1 gave" in out


def test_an_edited_engine_is_found(folder, capsys, monkeypatch):
    from trainable.engine import learner

    real = learner.Learner.__init__

    def edited(self: learner.Learner, network, train, *rest) -> None:
        real(self, network, train.model_copy(update={"momentum": train.momentum - 1e-3}), *rest)

    monkeypatch.setattr(learner.Learner, "__init__", edited)
    monkeypatch.setattr("trainable.trial.fingerprint.code_hash", lambda: "edited")
    assert verified(folder) == 1
    out = capsys.readouterr().out
    assert "different from epoch" in out
    assert "differs from the original run: code" in out


def test_data_that_is_gone_is_not_called_the_same(folder, capsys):
    (folder / "images.npz").unlink()
    assert verified(folder) == 1
    out = capsys.readouterr().out
    assert "cannot be run again" in out
    assert "0 of 0 gave the same rows from the same data; 1 could not be run again" in out
