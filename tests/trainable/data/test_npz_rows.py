"""Images of arrays, one after the other."""

import tracemalloc
import zipfile

import numpy as np
import pytest

from trainable.data.npz_rows import arrays_of_images, rows
from trainable.errors import DataError

IMAGES = np.random.default_rng(0).integers(0, 256, (5, 4, 3, 3), dtype=np.uint8)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("images", [IMAGES, IMAGES[..., :1], IMAGES[..., 0], IMAGES[:0]])
def test_rows_are_those_of_the_array(tmp_path, save, images):
    save(tmp_path / "a.npz", images=images, labels=np.arange(5))
    found = list(rows(tmp_path / "a.npz", "images"))
    expected = images if images.ndim == 4 else images[..., None]
    assert len(found) == len(expected)
    assert all(np.array_equal(*pair) for pair in zip(found, expected, strict=True))


def test_memory_does_not_grow_with_the_number_of_images(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", images=np.zeros((4000, 64, 64), np.uint8))
    tracemalloc.start()
    count = sum(1 for _ in rows(tmp_path / "a.npz", "images"))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert count == 4000
    assert most < 2e6, "of 16.4 MB"


def test_arrays_with_images_are_found_by_their_names(tmp_path):
    np.savez(tmp_path / "a.npz", test_images=IMAGES, test_labels=np.arange(5), train_images=IMAGES)
    assert arrays_of_images(tmp_path / "a.npz") == ["test_images", "train_images"]
    np.savez(tmp_path / "a.npz", x=IMAGES)
    with pytest.raises(DataError, match=r"has no array `images` or `\*_images`; it has x"):
        arrays_of_images(tmp_path / "a.npz")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (IMAGES.astype(float), r"float64 \(5, 4, 3, 3\); expected uint8"),
        (IMAGES[0], r"expected uint8|of another"),
        (IMAGES[..., :2], r"\(5, 4, 3, 2\); expected uint8"),
        (np.asfortranarray(IMAGES), "Fortran order"),
        (np.array([{}]), "cannot be read|expected uint8"),
    ],
)
def test_other_arrays_are_refused(tmp_path, images, message):
    if images.ndim == 3:
        images = images[..., 0]
    np.savez(tmp_path / "a.npz", images=images)
    with pytest.raises(DataError, match=message):
        list(rows(tmp_path / "a.npz", "images"))


def test_damaged_files_are_sentences(tmp_path):
    (tmp_path / "a.npz").write_bytes(b"PK no")
    with pytest.raises(DataError, match="not a readable"):
        arrays_of_images(tmp_path / "a.npz")
    with pytest.raises(DataError, match="No such file"):
        arrays_of_images(tmp_path / "b.npz")
    np.savez_compressed(tmp_path / "a.npz", images=IMAGES)
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[150:170] = bytes(20)
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(DataError, match="images cannot be read"):
        list(rows(tmp_path / "a.npz", "images"))
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:
        with archive.open("images.npy", "w") as file:
            np.save(file, IMAGES)
        whole = archive.read("images.npy")
    with zipfile.ZipFile(tmp_path / "c.npz", "w") as archive:
        archive.writestr("images.npy", whole[:-1])
    with pytest.raises(DataError, match="images ends too early"):
        list(rows(tmp_path / "c.npz", "images"))
