"""Corrected labels as a table, as arrays and as a folder of links; each is trained on."""

import json
from pathlib import Path

import numpy as np
import pytest

from analysis.audit.decisions import Decision, append
from orchestrator.audit.review import only_audit
from orchestrator.study.load import load_study
from tests.orchestrator.audit.studies import (
    ARRAYS,
    FOLDER,
    STUDY,
    finished,
    write_folder,
    write_npz,
)
from trainable.config.data import ImageFolder, Npz
from trainable.config.runtime import Machine
from trainable.data.registry import load
from trainable.trial.trial import Trial


def decide(root: Path, image: str, kind: str, label: str = "") -> None:
    """Append a decision of Ann about the study's data."""
    data = only_audit(root, None, "baseline", None, Machine())[1]
    said = Decision("now", "Ann", data.arrays.hash, image, kind, label)
    append(root / "audit/decisions.csv", said)


def first_epoch(data: str, noise: str = "{name: none}") -> Trial:
    """A trial of a study on other data, after an epoch."""
    Path("again.yaml").write_text(STUDY.replace("DATA", data).replace("NOISE", noise))
    trial = Trial(load_study(Path("again.yaml")).trials[0].config, Machine())
    assert next(trial)["epoch"] == 1
    return trial


def test_a_folder_of_links_has_corrected_classes_and_no_unusable_images(command):
    write_folder(10)
    root = finished(FOLDER)
    decide(root, "train/1/2-05.png", "unusable")
    decide(root, "train/1/2-06.png", "label", "crow")
    code, out, err = command("audit", root, "--apply", "fixed", "--min-confidence", "1")
    assert code == 0, err
    assert "fixed: 1 of 30 labels changed, 1 by decisions and 0 by suggestions" in out
    assert not Path("fixed/train/1/2-05.png").exists()
    assert not Path("fixed/train/1/2-06.png").exists()
    moved = Path("fixed/train/crow/2-06.png")
    assert moved.read_bytes() == Path("images/train/1/2-06.png").read_bytes()
    arrays = load(
        ImageFolder.model_validate({"path": "fixed", "labels_are_true": False}), Machine()
    )
    assert len(arrays.train) == 29
    assert len(arrays.test) == 3
    record = json.loads(Path("fixed.json").read_text())
    assert record["unusable"] == ["train/1/2-05.png"]
    assert (record["seeds"], record["min_confidence"]) == ([0, 1], 1)
    assert len(record["decisions"]) == 64
    folder = "{name: image_folder, path: fixed, validation_fraction: 0.1, labels_are_true: false}"
    assert len(first_epoch(folder).data.train) == 26


def test_arrays_have_corrected_labels_and_no_unusable_images(command):
    write_npz(10)
    root = finished(ARRAYS)
    decide(root, "7", "unusable")
    decide(root, "8", "label", "2")
    code, out, err = command("audit", root, "--apply", "fixed.npz", "--min-confidence", "1")
    assert code == 0, err
    assert "labels_are_true: false" in out
    before, after = np.load("images.npz"), np.load("fixed.npz")
    kept = np.delete(np.arange(30), 7)
    assert np.array_equal(after["train_images"], before["train_images"][kept])
    expected = before["train_noisy_labels"].copy()
    expected[8] = 2
    assert np.array_equal(after["train_labels"], expected[kept])
    assert np.array_equal(after["test_images"], before["test_images"])
    arrays = load(Npz.model_validate({"path": "fixed.npz", "labels_are_true": False}), Machine())
    assert len(arrays.train) == 29
    data = "{name: npz, path: fixed.npz, validation_fraction: 0.1, labels_are_true: false}"
    assert len(first_epoch(data).data.train) == 26


def test_two_images_of_one_name_in_one_class_are_both_kept(command):
    write_folder(10)
    nested = Path("images/train/1/more")
    nested.mkdir()
    nested.joinpath("2-06.png").write_bytes(Path("images/train/1/2-07.png").read_bytes())
    root = finished(FOLDER)
    code, _, err = command("audit", root, "--apply", "fixed", "--min-confidence", "1")
    assert code == 0, err
    assert Path("fixed/train/1/2-06-2.png").is_symlink()


@pytest.mark.parametrize(
    ("data", "name", "message"),
    [
        (FOLDER, "new.npz", "the images are files; name a .csv file or a folder"),
        (FOLDER, "new.txt", "name a .csv file, a .npz file, or a folder"),
        (ARRAYS, "new", "the images are no files; name a .csv or a .npz file"),
    ],
)
def test_a_form_that_does_not_fit_is_a_sentence(command, data, name, message):
    if data == FOLDER:
        write_folder(10)
    else:
        write_npz(10)
    code, _, err = command("audit", finished(data), "--apply", name)
    assert code == 2
    assert message in err
    assert not Path(name).exists()
    assert not Path(f"{name}.json").exists()


def test_a_file_where_the_record_would_be_is_kept(command):
    write_folder(10)
    root = finished(FOLDER)
    Path("fixed.json").write_text("mine")
    code, _, err = command("audit", root, "--apply", "fixed")
    assert code == 2
    assert "fixed.json exists already" in err
    assert Path("fixed.json").read_text() == "mine"
    assert not Path("fixed").exists()
