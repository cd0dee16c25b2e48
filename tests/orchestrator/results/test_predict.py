"""`predict` on real, tiny trials: the table, what is skipped, and what is refused."""

import csv
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.exit_codes import Ended
from tests.orchestrator.audit.studies import (
    ARRAYS,
    FOLDER,
    coloured,
    finished,
    write_folder,
    write_npz,
)
from tests.trainable.trees import picture, save
from trainable.data import samples
from trainable.trial import prediction
from trainable.trial.trained_model import load_model


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder to work in, and nothing that has to survive a power cut."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


def predict(*options: str | Path, code: int = 0) -> tuple[str, list[dict[str, str]]]:
    """What `predict` prints, and the table that it writes."""
    arguments = ["predict", *map(str, options), "--out", "p.csv"]
    done = CliRunner().invoke(app.app, arguments, catch_exceptions=False)
    assert done.exit_code == code, done.output
    with Path("p.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    Path("p.csv").unlink()
    return done.output, table


def refused(*options: str | Path, out: str = "p.csv") -> str:
    """The sentence that `predict` ends with, at exit code 2; there is no table then."""
    arguments = ["predict", *map(str, options), "--out", out]
    with pytest.raises(Ended) as caught:
        CliRunner().invoke(app.app, arguments, catch_exceptions=False)
    assert caught.value.code == 2
    assert list(Path().glob("p.csv*")) == []
    return str(caught.value)


def probabilities(root: Path, seed: int, files) -> np.ndarray:
    return load_model(root / "runs" / "baseline" / f"seed={seed}").predict_probabilities(files)


def test_folders_and_files_are_predicted_in_their_order():
    write_folder()
    root = finished(FOLDER)
    save(Path("new/b/deep/1.png"), Image.fromarray(coloured(1, 7)))
    save(Path("new/a.png"), Image.fromarray(coloured(0, 7)))
    save(Path("=2.png"), Image.fromarray(coloured(2, 7)))
    Path("new/notes.txt").write_text("x")
    output, table = predict(root, "new", "=2.png", "--top", "3")
    files = ["new/a.png", "new/b/deep/1.png", "=2.png"]
    assert [row["file"] for row in table] == [*files[:2], "'=2.png"], "no cell is a formula"
    assert all(row["index"] == "" for row in table)
    assert "2 networks (baseline/seed=0), 3 images: p.csv" in output
    expected = probabilities(root, 0, files)
    names = np.array(["1", "'=owl()", "crow"])
    for row, each in zip(table, expected, strict=True):
        order = np.argsort(-each)
        assert [row["class"], row["class_2"], row["class_3"]] == names[order].tolist()
        shown = [float(row[f"probability{place}"]) for place in ("", "_2", "_3")]
        assert shown == pytest.approx(each[order], rel=1e-5)


def test_seeds_are_chosen_or_averaged():
    write_folder()
    root = finished(FOLDER)
    _, first = predict(root, "images/test", "--seed", "1", "--top", "3")
    output, both = predict(root, "images/test", "--ensemble", "--top", "3")
    assert "4 networks (baseline/seed=0, baseline/seed=1), 3 images" in output
    files = sorted(Path("images/test").rglob("*.png"))
    each = [probabilities(root, seed, files) for seed in (0, 1)]
    mean = (each[0] + each[1]) / 2
    for table, expected in ((first, each[1]), (both, mean)):
        assert [float(row["probability"]) for row in table] == pytest.approx(
            expected.max(1), rel=1e-5
        )
    (root / "runs/baseline/seed=0/summary.json").unlink()
    output, _ = predict(root, "images/test")
    assert "(baseline/seed=1)" in output, "the first completed one"


def test_arrays_are_predicted_by_their_rows():
    write_npz()
    root = finished(ARRAYS)
    images = np.load("images.npz")["test_images"]
    np.savez("new.npz", images=images)
    _, table = predict(root, "new.npz")
    assert [(row["file"], row["index"]) for row in table] == [("new.npz", str(k)) for k in range(3)]
    expected = probabilities(root, 0, images)
    assert [row["class"] for row in table] == [str(label) for label in expected.argmax(1)]
    _, table = predict(root, "images.npz")
    frame = pd.DataFrame(table)
    assert frame["file"].value_counts().to_dict() == {
        "images.npz:train_images": 90,
        "images.npz:test_images": 3,
    }
    assert "class_2" not in frame


def test_what_cannot_be_read_is_named_and_counted_and_the_others_are_predicted():
    write_folder()
    root = finished(FOLDER)
    save(Path("new/0.png"), Image.fromarray(coloured(0, 7)))
    Path("new/1.png").write_bytes(b"no image")
    save(Path("new/2.png"), picture(0, 9, 9))
    np.savez("old.npz", images=np.zeros((2, 8, 8), np.float32))
    np.savez("none.npz", labels=np.zeros(2))
    output, table = predict(root, "new", "old.npz", "none.npz", code=1)
    assert [row["file"] for row in table] == ["new/0.png"]
    for reason in (
        "skipped: new/1.png is not an image that can be read",
        "skipped: new/2.png has 9×9 pixels",
        "skipped: old.npz: images is float32",
        "skipped: none.npz has no array",
        "4 could not be read and are not in the table",
    ):
        assert reason in output


def test_images_are_read_batch_by_batch(monkeypatch):
    write_folder()
    model = load_model(finished(FOLDER) / "runs/baseline/seed=0")
    monkeypatch.setitem(samples.MOST_PIXELS, "cpu", 4 * 64)
    read = []
    monkeypatch.setattr(
        prediction, "_read", lambda model, image: read.append(image) or np.zeros((8, 8, 3), "u1")
    )
    found = prediction.predict([model], [Path("images")])
    assert read == []
    next(found)
    assert len(read) == 4
    assert len(list(found)) == 92


def test_what_does_not_fit_is_a_sentence():
    write_folder()
    root = finished(FOLDER)
    assert "empty does not exist" in refused(root, "empty")
    Path("empty").mkdir()
    assert "there are no images in empty (known types: .avif" in refused(root, "empty")
    assert "--top 4: there are 3 classes" in refused(root, "images", "--top", "4")
    assert "--seed 7: the study has 0, 1" in refused(root, "images", "--seed", "7")
    assert "--arm x: the study has baseline" in refused(root, "images", "--arm", "x")
    assert "--setting x: the study has none" in refused(root, "images", "--setting", "x")
    assert "leave out --seed" in refused(root, "images", "--seed", "1", "--ensemble")
    assert "p/q.csv: the folder p does not exist" in refused(root, "images", out="p/q.csv")
    assert "images exists already" in refused(root, "images", out="images")
    for seed in (0, 1):
        (root / f"runs/baseline/seed={seed}/summary.json").unlink()
    assert "none of the 2 selected trials is completed" in refused(root, "images")
