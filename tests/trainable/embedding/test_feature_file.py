"""Shards that survive a kill, and the joined file."""

import zipfile

import numpy as np
import pytest

from trainable.embedding.feature_file import ROWS, Shards
from trainable.errors import DataError


def test_shards_are_joined_in_order_without_compression(tmp_path):
    out = tmp_path / "f.npz"
    shards = Shards(out, {"model": "random"})
    rng = np.random.default_rng(0)
    features = rng.normal(size=(ROWS + 3, 4)).astype(np.float16)
    shards.write(1, features[ROWS:])
    assert shards.has(1)
    assert not shards.has(0)
    shards.write(0, features[:ROWS])
    names = np.array(["a", "é"])
    assert shards.join(2, {"labels": np.arange(ROWS + 3) % 2, "classes": names}) == 4
    with np.load(out) as content:
        assert np.array_equal(content["features"], features)
        assert content["features"].dtype == np.float16
        assert content["classes"].tolist() == ["a", "é"]
    with zipfile.ZipFile(out) as archive:
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
    assert [path.name for path in tmp_path.iterdir()] == ["f.npz"]


def test_features_of_something_else_are_not_continued(tmp_path):
    out = tmp_path / "f.npz"
    Shards(out, {"seed": 0}).write(0, np.zeros((1, 1), np.float16))
    assert Shards(out, {"seed": 0}).has(0)
    with pytest.raises(DataError, match=r"f\.npz\.partial holds features of other images"):
        Shards(out, {"seed": 1})


def test_what_was_fitted_is_fitted_once(tmp_path):
    calls = []

    def fit():
        calls.append(1)
        return {"mean": np.arange(3.0)}

    for _ in range(2):
        assert Shards(tmp_path / "f.npz", {}).fitted(fit)["mean"].tolist() == [0, 1, 2]
    assert calls == [1]


def test_shards_of_another_width_are_refused_and_nothing_is_written(tmp_path):
    shards = Shards(tmp_path / "f.npz", {})
    shards.write(0, np.zeros((ROWS, 2), np.float16))
    shards.write(1, np.zeros((1, 3), np.float16))
    with pytest.raises(
        DataError, match="images from row 512 have 3 features, and the first ones 2"
    ):
        shards.join(2, {})
    assert not (tmp_path / "f.npz").exists()
