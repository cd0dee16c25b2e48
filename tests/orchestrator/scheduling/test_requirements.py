"""What trials need is looked for before anything is trained."""

import sys
from pathlib import Path
from types import SimpleNamespace

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
