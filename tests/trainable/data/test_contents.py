"""The files themselves identify the data: the same hash however they are read, another one for other bytes."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.trainable.trees import write_tree
from trainable.config.data import ImageFolder, NoNoise
from trainable.config.runtime import Machine
from trainable.data.contents import Contents
from trainable.data.dataset import Dataset
from trainable.data.prepare import prepare
from trainable.data.registry import load
from trainable.errors import DataError
from trainable.random_streams import Streams

CPU = torch.device("cpu")


def some(n: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 2**60, n).astype(np.uint64)


def test_the_hash_does_not_depend_on_the_order_of_reading_and_is_known_at_the_end():
    first, second = some(5), some(3, seed=2)
    whole, parts = Contents([5, 3]), Contents([5, 3])
    whole.add(0, np.arange(5), first)
    whole.add(1, np.arange(3), second)
    for part, rows in ((1, [2, 0]), (0, [4, 1]), (0, [0, 2, 3])):
        parts.add(part, np.array(rows), (first, second)[part][rows])
        assert parts.hash is None
    assert parts.add(1, np.array([1, 2]), second[[1, 2]]) is None
    assert parts.hash == whole.hash


def test_a_file_that_changes_is_named():
    contents, digests = Contents([4]), some(4)
    assert contents.add(0, np.arange(4), digests) is None
    digests[2] += 1
    assert contents.add(0, np.array([1, 2]), digests[[1, 2]]) == 2


def prepared(tree, wish: bool) -> Dataset:
    data = ImageFolder(path="t", validation_fraction=0.2)
    machine = Machine(study_dir=tree.parent, resident=wish)
    return prepare(load(data, machine), data, NoNoise(), Streams(0), CPU, machine)


def decode_all(data: Dataset) -> None:
    for samples in (data.train, data.validation, data.test):
        assert samples is not None
        samples.plain(slice(0, len(samples)))


def repaint(file) -> None:
    """Change one pixel, and neither the name nor the size of the file."""
    with Image.open(file) as image:
        pixels = np.asarray(image).copy()
    pixels[0, 0] ^= 255
    before = file.stat().st_size
    Image.fromarray(pixels).save(file)
    assert file.stat().st_size == before


@pytest.fixture
def tree(tmp_path):
    """Bitmaps, which have the same size whatever they show."""
    folder = write_tree(tmp_path / "t", train=6, test=3)
    for file in sorted(folder.rglob("*")):
        if file.is_file():
            with Image.open(file) as image:
                image.save(file.with_suffix(".bmp"))
            file.unlink()
    return folder


def test_streamed_and_resident_images_have_one_hash_and_repainted_ones_another(tree):
    resident, streamed = prepared(tree, True), prepared(tree, False)
    assert streamed.content_hash is None, "nothing is read yet"
    decode_all(streamed)
    assert streamed.content_hash == resident.content_hash is not None
    repaint(next(iter(sorted(tree.rglob("train/*/*.bmp")))))
    again = prepared(tree, True)
    assert again.data_hash == resident.data_hash, "names and sizes are the same"
    assert again.content_hash != resident.content_hash


def test_a_streamed_image_that_changes_while_a_trial_runs_is_an_error_of_the_data(tree):
    data = prepared(tree, False)
    decode_all(data)
    file = next(iter(sorted(tree.rglob("test/*/*.bmp"))))
    repaint(file)
    with pytest.raises(DataError, match=f"{file.name} has changed since it was first read"):
        decode_all(data)
