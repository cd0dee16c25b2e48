"""Decoded images are shared, never stale, and never a reason to fail."""

import dataclasses
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from trainable.data.decoded_cache import decoded, digests
from trainable.data.images import ORIENTATION, Files
from trainable.errors import DataError


@pytest.fixture
def files(tmp_path) -> Files:
    rng = np.random.default_rng(0)
    for k in range(3):
        Image.fromarray(rng.integers(0, 256, (6, 6, 3), np.uint8)).save(tmp_path / f"{k}.png")
    return Files(tmp_path, np.array([b"0.png", b"1.png", b"2.png"]), None, 3, tmp_path / "0.png")


def test_the_second_trial_maps_what_the_first_one_decoded(files, tmp_path, monkeypatch):
    place = tmp_path / "shared"
    first = decoded(files, place, threads=2)
    monkeypatch.setattr(Files, "load", None)
    second = decoded(files, place, threads=1)
    assert isinstance(second, np.memmap)
    assert not second.flags.writeable
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(second[1], np.asarray(Image.open(tmp_path / "1.png")))
    assert len(list(place.iterdir())) == 1, "nothing half-written stays"


def test_images_as_they_are_stored_and_as_they_are_seen_are_kept_apart(files, tmp_path):
    place = tmp_path / "shared"
    for k in range(3):
        with Image.open(tmp_path / f"{k}.png") as image:
            exif = image.getexif()
            exif[ORIENTATION] = 3  # upside down, of the same size
            image.save(tmp_path / f"{k}.png", exif=exif)
    stored = decoded(files, place, threads=1)
    seen = decoded(dataclasses.replace(files, upright=True), place, threads=1)
    np.testing.assert_array_equal(seen, stored[:, ::-1, ::-1])


def test_digests_are_of_the_files_bytes_and_shared(files, tmp_path, monkeypatch):
    place = tmp_path / "shared"
    first = digests(files, place)
    assert len(set(first.tolist())) == 3
    monkeypatch.setattr(Files, "digests", None)
    np.testing.assert_array_equal(digests(files, place), first)


def test_a_changed_file_is_decoded_again_even_if_its_size_is_the_same(files, tmp_path):
    place = tmp_path / "shared"
    before = decoded(files, place, threads=1).copy()
    size = (tmp_path / "0.png").stat().st_size
    other = (tmp_path / "1.png").read_bytes()
    (tmp_path / "0.png").write_bytes(other[:size].ljust(size, b"\0"))
    os.utime(tmp_path / "0.png", ns=(1, 1))
    after = decoded(files, place, threads=1)
    np.testing.assert_array_equal(after[0], before[1])


def test_other_forms_of_the_same_files_do_not_meet(files, tmp_path):
    place = tmp_path / "shared"
    small = Files(files.root, files.names, 4, 1, files.first)
    assert decoded(files, place, threads=1).shape == (3, 6, 6, 3)
    assert decoded(small, place, threads=1).shape == (3, 4, 4, 1)


@pytest.mark.parametrize("obstacle", ["a file in the way", "no room", "no place"])
def test_a_trial_does_without_a_place(files, tmp_path, monkeypatch, obstacle):
    place: Path | None = tmp_path / "shared"
    if obstacle == "a file in the way":
        (tmp_path / "shared").touch()
    elif obstacle == "no room":
        monkeypatch.setattr("trainable.data.decoded_cache.ROOM", 1e18)
    else:
        place = None
    np.testing.assert_array_equal(decoded(files, place, threads=1), files.load(np.arange(3)))


def test_a_bad_image_is_named_and_nothing_is_kept(files, tmp_path):
    (tmp_path / "2.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"/2\.png "):
        decoded(files, tmp_path / "shared", threads=1)
    assert not (tmp_path / "shared").exists()
