"""Images of folders, arrays and named data sets, in one order, with the columns of a file of features."""

import numpy as np
import pytest

from tests.trainable.trees import picture, save, write_tree
from trainable.config.runtime import Machine
from trainable.data.images import decode
from trainable.embedding.images import read_images
from trainable.errors import DataError


def read(source, side=None, channels=None):
    return read_images(str(source), Machine(), side, channels, threads=1)


def arrays(path, train=6, test=3, shape=(8, 8), **more):
    """An .npz file of grey images of two classes."""
    rng = np.random.default_rng(0)
    content = {"train_images": rng.integers(0, 256, (train, *shape), dtype=np.uint8)}
    content["train_labels"] = np.arange(train) % 2
    if test:
        content["test_images"] = rng.integers(0, 256, (test, *shape), dtype=np.uint8)
        content["test_labels"] = np.arange(test) % 2
    np.savez(path, **content, **more)
    return path


def test_splits_follow_each_other_with_names_of_files_and_classes(tmp_path):
    root = write_tree(tmp_path / "birds", train=3, test=2, validation=1)
    images = read(root, side=8)
    assert len(images) == 12
    assert images.trained == 6
    columns = images.columns(tmp_path / "features")
    assert columns["split"].tolist() == 6 * ["train"] + 2 * ["validation"] + 4 * ["test"]
    assert columns["labels"].tolist() == [0, 0, 0, 1, 1, 1, 0, 1, 0, 0, 1, 1]
    assert columns["classes"].tolist() == ["a", "b"]
    names = [f"../birds/{name}" for name in ("train/b/2.png", "val/a/0.png", "val/b/0.png")]
    assert columns["paths"][5:8].tolist() == names
    assert "true_labels" not in columns
    # Rows of several splits at once are the files in that order, as they are decoded.
    found = images.load(np.arange(4, 9))
    expected = [decode(root / name[9:], 8, 3) for name in columns["paths"][4:9]]
    assert np.array_equal(found, expected)


def test_a_test_set_that_would_be_held_out_stays_in_training(tmp_path):
    root = tmp_path / "birds"
    for name in "ab":
        for k in range(6):
            save(root / name / f"{k}.png", picture(k + 10 * (name == "b")))
    images = read(root)
    assert len(images) == images.trained == 12
    assert "split" not in images.columns(tmp_path)
    assert images.load(np.arange(1)).shape == (1, 32, 32, 3)


def test_arrays_are_scaled_and_coloured_only_as_a_model_needs(tmp_path):
    path = arrays(tmp_path / "a.npz")
    assert read(path).load(np.arange(2)).shape == (2, 8, 8, 1)
    assert read(path, side=12, channels=3).load(np.arange(2)).shape == (2, 12, 12, 3)
    large = arrays(tmp_path / "large.npz", shape=(80, 70))
    assert read(large).load(np.arange(2)).shape == (2, 32, 32, 1)


def test_given_and_true_labels_are_told_apart(tmp_path):
    noisy = np.array([1, 1, 0, 0, 1, 1])
    columns = read(arrays(tmp_path / "a.npz", train_noisy_labels=noisy)).columns(tmp_path)
    assert columns["labels"].tolist() == [*noisy, 0, 1, 0]
    assert columns["true_labels"].tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0]


def test_digits_are_read_by_name():
    images = read("digits")
    assert (len(images), images.trained) == (1797, 1437)


def test_what_is_no_data_set_is_named(tmp_path):
    with pytest.raises(DataError, match="nowhere does not exist; expected a folder of images"):
        read("nowhere")
