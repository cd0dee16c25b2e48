"""From images to a file of features, with interruptions and wrong input."""

import numpy as np
import pytest

from trainable.config.runtime import Machine
from trainable.embedding import embed as module
from trainable.embedding.embed import Request, embed
from trainable.embedding.random_patches import RandomPatches
from trainable.errors import DataError


class Killed(Exception):
    """In place of a signal."""


def features(file):
    with np.load(file) as content:
        return content["features"]


def run(out, tell=lambda done, total: None, **request):
    return embed(Request(**{"source": "digits", "model": "pca"} | request), out, Machine(), tell)


def test_a_killed_call_resumes_and_writes_the_same_file(tmp_path):
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
    assert (tmp_path / "killed.npz").read_bytes()[-100:] == (tmp_path / "whole.npz").read_bytes()[
        -100:
    ]
    assert np.array_equal(features(tmp_path / "killed.npz"), features(tmp_path / "whole.npz"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed.npz", "whole.npz"]


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
