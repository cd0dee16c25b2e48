"""What trials need is looked for before anything is trained."""

import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from trainable.config.models import SmallCnn
from trainable.models.build import build

STUDY = """
name: tiny
seeds: [0]
base:
  model: {name: small_cnn, width: 8}
  train: {epochs: 2}
  method: {name: cross_entropy}
arms:
  warm: {method.init: pretrained, method.weights: w.pt}
"""


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "tiny.yaml"
    file.write_text(STUDY)
    return file


@pytest.mark.parametrize(("width", "fits"), [(8, True), (16, False)])
def test_weights_of_another_network_are_told_by_plan_and_refused_by_run(
    study, tmp_path, command, width, fits
):
    network = build(SmallCnn(width=width), (1, 8, 8), 10, seed=0)
    torch.save(network.state_dict(), tmp_path / "w.pt")
    code, out, _ = command("plan", study)
    assert code == 0
    assert ("w.pt has the weights of another network" in out) == (not fits)
    if not fits:
        code, _, err = command("run", study)
        assert code == 2
        assert "w.pt has the weights of another network" in err


EMBEDDINGS = """
name: vectors
seeds: [0]
base:
  data: {name: embeddings, path: FILE}
  model: {name: mlp, width: 8}
  train: {epochs: 2}
  method: {name: cross_entropy}
arms: {}
"""


def write_wrong(fault: str) -> str:
    """Write embeddings with a fault as a user's program would; return their path."""
    rng = np.random.default_rng(0)
    labels = np.arange(90) % 3
    features = (rng.normal(size=(90, 4)) + labels[:, None]).astype(np.float16)
    ids = np.array([f"id{row}" for row in range(90)])
    match fault:
        case "nan":
            features[[3, 5]] = np.nan
        case "zeros":
            features[6] = 0
        case "rows":
            labels = labels[:-2]
        case "ids":
            ids[8] = "id5"
        case "pickled":
            labels = labels.astype(object)
    if fault != "truncated":
        np.savez("f.npz", features=features, labels=labels, ids=ids)
        return "f.npz"
    Path("shards").mkdir()
    for name, rows in (("a", slice(0, 45)), ("b", slice(45, 90))):
        file = Path("shards", f"{name}.npz")
        np.savez(file, features=features[rows], labels=labels[rows], ids=ids[rows])
    file.write_bytes(file.read_bytes()[:300])
    return "shards"


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("nan", "f.npz: 2 of 90 rows have NaN or infinite features: row 3, row 5. Compute them"),
        ("zeros", "f.npz: 1 of 90 rows have only zeros as features: row 6."),
        ("rows", "f.npz has 90 rows of features, and 88 of labels; both need the same rows"),
        ("ids", "f.npz: 1 ids are not unique; `id5` is the id of row 5, row 8"),
        ("pickled", "f.npz: labels holds pickled Python objects, which are not read."),
        ("truncated", "shards/b.npz"),
    ],
)
def test_wrong_embeddings_are_told_by_plan_and_refused_by_run(study, command, fault, told):
    path = write_wrong(fault)
    study.write_text(EMBEDDINGS.replace("FILE", path))
    code, out, _ = command("plan", study)
    assert code == 0
    assert told in " ".join(out.split())
    code, _, err = command("run", study)
    assert code == 2
    assert told in err
    assert not list(Path("results").rglob("seed=0")), "nothing is trained"


def test_a_file_that_holds_no_weights_is_told_by_plan(study, tmp_path, command):
    (tmp_path / "w.pt").write_bytes(b"no weights")
    code, out, _ = command("plan", study)
    assert code == 0
    assert "w.pt is not a file of weights" in out


def test_a_network_that_an_optional_package_does_not_have_is_told_by_plan(
    study, command, monkeypatch
):
    """The package is a stand-in: it is not installed with the tests."""
    timm = SimpleNamespace(
        __version__="1.0", is_model=lambda name: False, list_models=lambda: ["vit_tiny"]
    )
    monkeypatch.setitem(sys.modules, "timm", timm)
    monkeypatch.setattr("trainable.config.models.find_spec", lambda name: timm)
    study.write_text(
        STUDY.partition("arms:")[0].replace("{name: small_cnn, width: 8}", "{name: 'timm:vit_tiy'}")
    )
    code, out, _ = command("plan", study)
    assert code == 0
    assert "timm 1.0 has no model `vit_tiy`; did you mean `timm:vit_tiny`?" in out
