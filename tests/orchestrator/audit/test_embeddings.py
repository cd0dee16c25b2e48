"""A user's session with embeddings: init, a trial, audit, review, corrected labels, predict."""

import csv
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from orchestrator.cli import app
from orchestrator.exit_codes import Ended
from tests.orchestrator.audit.studies import trained

NAMES = np.array(["crow", "owl", "jay"])
ROWS = 240


def write_features(tests: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Write features.npz; return features and true classes. The first 12 rows have wrong labels."""
    rng = np.random.default_rng(0)
    true = np.arange(ROWS) % 3
    features = (6 * np.eye(3, 10)[true] + rng.normal(size=(ROWS, 10))).astype(np.float16)
    given = np.where(np.arange(ROWS) < 12, (true + 1) % 3, true)
    np.savez(
        "features.npz",
        features=features,
        labels=NAMES[given],
        split=np.where(np.arange(ROWS) < ROWS - tests, "train", "test"),
        ids=np.array([f"id{row:03}" for row in range(ROWS)]),
        text=np.array([f"a <{NAMES[label]}> & more, row {row}" for row, label in enumerate(true)]),
    )
    return features, true


def command(*arguments: str) -> str:
    done = CliRunner().invoke(app.app, arguments, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def baseline_trained() -> Path:
    """Train the baseline of the study that `init` wrote, one seed in 12 epochs."""
    file = Path("features.yaml")
    text, _, _ = file.read_text().partition("\narms:")
    text = text.replace("seeds: [0, 1, 2, 3, 4, 5, 6, 7]", "seeds: [0]")
    text = re.sub(r"epochs: \d+, ", "epochs: 12, ", text)
    file.write_text(re.sub(r"warmup_epochs: \d+", "warmup_epochs: 6", text))
    return trained(file)


def test_a_session_from_vectors_to_corrected_labels_and_predictions(able_networks):
    features, true = write_features()
    said = command("init", "features.npz")
    assert "3 classes: crow, jay, owl" in said
    assert "train: 180 rows, 60 to 60 a class" in said
    assert "10 features of float16" in said
    assert "test set: 60 rows, labels unchecked" in command("plan", "features.yaml")
    root = baseline_trained()

    command("audit", str(root))
    with (root / "audit/baseline/labels.csv").open(newline="") as file:
        listed = list(csv.DictReader(file))
    wrong = {f"id{row:03}" for row in range(12)}
    assert len(wrong & {row["file"] for row in listed[:12]}) >= 10
    first = int(listed[0]["file"][2:])
    assert listed[0]["text"] == f"a <{NAMES[true[first]]}> & more, row {first}"
    sheet = (root / "audit/baseline/sheet.html").read_text()
    assert f"a &lt;{NAMES[true[first]]}&gt; &amp; more, row {first}" in sheet
    assert "<img" not in sheet.split("</form>")[1]

    command("audit", str(root), "--apply", "new.csv", "--min-confidence", "0")
    with Path("new.csv").open(newline="") as file:
        new = {row["file"]: row["label"] for row in csv.DictReader(file)}
    right = [new[f"id{row:03}"] == NAMES[true[row]] for row in range(180)]
    assert np.mean(right) > 0.95

    np.savez("more.npz", features=features[-20:])
    command("predict", str(root), "more.npz", "--out", "p.csv")
    with Path("p.csv").open(newline="") as file:
        predicted = [row["class"] for row in csv.DictReader(file)]
    assert np.mean(predicted == NAMES[true[-20:]]) > 0.8


def test_what_does_not_fit_is_refused_in_a_sentence():
    features, _ = write_features()
    command("init", "features.npz")
    root = baseline_trained()
    with pytest.raises(Ended, match=r"the data are embeddings; name a \.csv file"):
        command("audit", str(root), "--apply", "new.npz")
    np.save("wide.npy", np.ones((2, 11), np.float32))
    Image.new("RGB", (8, 8)).save("a.png")
    for name, message in (
        ("wide.npy", "the vector has 11 features; the networks were trained on 10"),
        ("a.png", "a.png is no file of embeddings"),
    ):
        done = CliRunner().invoke(app.app, ["predict", str(root), name, "--out", f"{name}.csv"])
        assert message in done.output.replace("\n", " ")
    Path("broken.npz").write_bytes(Path("features.npz").read_bytes()[:300])
    with pytest.raises(Ended, match=r"broken\.npz"):
        command("init", "broken.npz")
    Path("shards").mkdir()
    Path("shards/a.npz").write_bytes(Path("features.npz").read_bytes())
    Path("shards/b.npz").write_bytes(Path("broken.npz").read_bytes())
    with pytest.raises(Ended, match=r"shards/b\.npz: the file cannot be read"):
        command("init", "shards")
    np.savez("nan.npz", features=features * np.nan, labels=np.arange(ROWS) % 3)
    with pytest.raises(Ended, match="240 of 240 rows have NaN or infinite features: row 0, row 1"):
        command("init", "nan.npz")
