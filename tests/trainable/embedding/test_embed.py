"""From images to a file of features, with interruptions and wrong input."""

import subprocess
import sys

import pytest

from trainable.config.runtime import Machine
from trainable.embedding import embed as module
from trainable.embedding.embed import Request, embed
from trainable.embedding.random_patches import RandomPatches
from trainable.errors import DataError


class Killed(Exception):
    """In place of a signal."""


def run(out, tell=lambda done, total: None, **request):
    return embed(Request(**{"source": "digits", "model": "pca"} | request), out, Machine(), tell)


def test_an_interrupted_call_resumes_and_writes_the_same_file(tmp_path):
    def kill(done, total):
        if done > 600:
            raise Killed

    with pytest.raises(Killed):
        run(tmp_path / "killed.npz", kill)
    assert not (tmp_path / "killed.npz").exists()
    found = run(tmp_path / "killed.npz")
    assert (found.rows, found.width, found.resumed) == (1797, 64, 1024)
    seen = []
    whole = run(tmp_path / "whole.npz", lambda done, total: seen.append((done, total)))
    assert whole.resumed == 0
    assert seen[0] == (512, 1797)
    assert seen[-1] == (1797, 1797)
    assert (tmp_path / "killed.npz").read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed.npz", "whole.npz"]


STOPS = """
import sys, time
from pathlib import Path
from trainable.config.runtime import Machine
from trainable.embedding import feature_file
from trainable.embedding.embed import Request, embed

model, name, out = sys.argv[1:]

def half_written(path, content):
    if name not in path.name:
        return write(path, content)
    write(path, content[: len(content) // 2])
    print("in the middle", flush=True)
    time.sleep(600)

def half_joined(array):
    if name != array:
        return member(array)
    print("in the middle", flush=True)
    time.sleep(600)

write, Path.write_bytes = Path.write_bytes, half_written
member, feature_file._member = feature_file._member, half_joined
embed(Request("digits", model), Path(out), Machine(), lambda done, total: None)
"""
"""Embeds digits, and stops with the first half of a file written: `name` is a part of its name."""


@pytest.mark.parametrize(
    ("model", "name", "left"),
    [
        pytest.param("random", "fitted.npz", 0, marks=pytest.mark.slow),
        ("random", "000002.npy", 1024),
        pytest.param("pca", "000001.npy", 512, marks=pytest.mark.slow),
        ("pca", "labels", 1797),  # the whole file without its last arrays
    ],
)
def test_a_process_killed_while_it_writes_resumes_to_the_same_bytes(tmp_path, model, name, left):
    killed = tmp_path / "killed.npz"
    command = [sys.executable, "-c", STOPS, model, name, str(killed)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        said = process.stdout.readline()
        process.kill()
    assert said == "in the middle\n"
    assert process.returncode == -9
    assert not killed.exists()
    halves = [path.name for path in (tmp_path / ".killed.npz.partial").iterdir()]
    assert any(name in half or half == "joined.npz" for half in halves)
    assert run(killed, model=model).resumed == left
    assert run(tmp_path / "whole.npz", model=model).resumed == 0
    assert killed.read_bytes() == (tmp_path / "whole.npz").read_bytes()
    assert not (tmp_path / ".killed.npz.partial").exists()


def test_another_model_does_not_continue_the_features(tmp_path):
    with pytest.raises(Killed):
        run(tmp_path / "f.npz", lambda done, total: (_ for _ in ()).throw(Killed))
    with pytest.raises(DataError, match="features of other images or of another model"):
        run(tmp_path / "f.npz", seed=1)


def test_features_beyond_16_bits_are_refused_with_their_row(tmp_path):
    (tmp_path / "mine.py").write_text(
        "def large(weights):\n    return lambda pixels: pixels.reshape(len(pixels), -1) * 1000.0\n"
    )
    with pytest.raises(DataError, match=r"the image in row 0 are not finite .* 65504"):
        run(tmp_path / "f.npz", model=f"{tmp_path}/mine.py:large")


def test_random_patches_are_chosen_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "ROWS", 4096)
    monkeypatch.setattr("trainable.embedding.random_patches.PATCHES", 500)
    assert run(tmp_path / "f.npz", model="random").width == 1280
    assert isinstance(module._encoder(Request("digits", "random"), None), RandomPatches)


@pytest.mark.parametrize("model", ["resnet18", "torchvision:", "vgg:16"])
def test_unknown_models_are_named_with_what_there_is(tmp_path, model):
    with pytest.raises(DataError, match=f"--model {model}: expected random, pca, torchvision:NAME"):
        run(tmp_path / "f.npz", model=model)


def test_weights_that_nothing_uses_are_refused(tmp_path):
    with pytest.raises(DataError, match="--model pca has no weights"):
        run(tmp_path / "f.npz", weights=tmp_path / "w.pt")
