"""Folders of images: what is found, and a sentence for what is missing."""

import os
import re
import unicodedata
from pathlib import Path

import numpy as np
import pytest

from tests.trainable.trees import picture, save, write_tree
from trainable.config.data import FileNoise, ImageFolder, NoNoise
from trainable.config.runtime import Machine
from trainable.data.image_folder import unread
from trainable.data.noise_files import read_labels
from trainable.data.prepare import prepare
from trainable.data.registry import load
from trainable.errors import DataError
from trainable.random_streams import Streams

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")


def read(root, **fields):
    return load(ImageFolder(path=root.name, **fields), Machine(study_dir=root.parent))


def test_classes_and_images_come_in_the_order_of_their_names(tmp_path):
    data = read(write_tree(tmp_path / "t", train=2, classes=("b", "a", "c")))
    assert data.class_names == ("a", "b", "c")
    assert data.train.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert data.train.names.tolist()[:3] == [b"train/a/0.png", b"train/a/1.png", b"train/b/0.png"]
    assert (len(data.test), data.validation) == (12, None)
    assert data.train.images.shape == (12, 12, 3)


def test_names_of_any_bytes_are_files_too(tmp_path):
    root = write_tree(tmp_path / "t", train=2)
    strange = os.fsdecode(b"caf\xe9.png")
    (root / "train" / "a" / "0.png").rename(root / "train" / "a" / strange)
    data = read(root)
    assert b"train/a/caf\xe9.png" in data.train.names
    assert data.train.images.load(np.arange(4)).shape == (4, 12, 12, 3)
    (tmp_path / "labels.csv").write_text("file,label\ntrain/a/caf\\xe9.png,b\n")
    (row,) = np.flatnonzero(data.train.names == b"train/a/caf\xe9.png")
    assert (
        read_labels(tmp_path / "labels.csv", data.train, data.classes, data.class_names)[row] == 1
    )


COMPOSED, DECOMPOSED = (unicodedata.normalize(form, "Bär") for form in ("NFC", "NFD"))


def test_a_class_is_the_same_in_both_normal_forms_of_unicode(tmp_path):
    root = write_tree(tmp_path / "t", train=2, test=1, classes=(COMPOSED, "owl"))
    (root / "test" / COMPOSED).rename(root / "test" / DECOMPOSED)
    data = read(root)
    assert data.class_names == (COMPOSED, "owl")
    assert data.test.labels.tolist() == [0, 1]
    assert data.test.images.load(np.arange(2)).shape == (2, 12, 12, 3)


def test_two_classes_that_look_the_same_are_refused(tmp_path):
    root = write_tree(tmp_path / "t", classes=(COMPOSED, DECOMPOSED))
    with pytest.raises(DataError, match="different normal forms of Unicode"):
        read(root)


def test_images_in_folders_of_a_class_are_read_as_torchvision_does(tmp_path):
    root = write_tree(tmp_path / "t", train=2)
    save(root / "train" / "a" / "more" / "deep" / "7.png", picture(1))
    save(root / "train" / "a" / "also" / "8.png", picture(2))
    ours = [name.decode() for name in read(root).train.names]
    theirs = torchvision.datasets.ImageFolder(str(root / "train")).samples
    assert sorted(ours) == sorted(str(Path(file).relative_to(root)) for file, _ in theirs)
    assert read(root).train.labels.tolist() == [0, 0, 0, 0, 1, 1]


def test_links_to_folders_are_followed_and_a_circle_ends(tmp_path):
    root = write_tree(tmp_path / "t", train=2)
    elsewhere = save(tmp_path / "elsewhere" / "9.png", picture(1)).parent
    (root / "train" / "a" / "linked").symlink_to(elsewhere)
    (root / "train" / "a" / "circle").symlink_to(root / "train" / "a")
    names = read(root).train.names.tolist()
    assert names.count(b"train/a/linked/9.png") == 1
    assert len(names) == 5


@pytest.mark.parametrize("suffix", [".webp", ".BMP", ".tif", ".gif", ".ppm", ".jp2", ".avif"])
def test_other_image_types_are_read(tmp_path, suffix):
    root = write_tree(tmp_path / "t", train=2)
    save(root / "train" / "a" / f"9{suffix}", picture(1))
    data = read(root)
    (row,) = np.flatnonzero(data.train.names == f"train/a/9{suffix}".encode())
    assert data.train.images.load(np.array([row])).shape == (1, 12, 12, 3)
    assert data.notes == ()


def test_what_is_not_read_is_told_with_counts_and_names(tmp_path):
    root = write_tree(tmp_path / "t", train=2)
    for k in range(7):
        (root / "train" / "a" / f"note{k}.txt").write_text("x")
    (root / "train" / "b" / ".hidden.png").write_bytes(b"x")
    save(root / "train" / "b" / ".cache" / "deep" / "9.png", picture(1))
    (root / "test" / "b" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    save(root / "train" / "loose.png", picture(1))
    save(root / "extra" / "a" / "1.png", picture(1))
    data = read(root)
    assert len(data.train) == 4
    text = "\n".join(data.notes)
    assert re.search(
        r"^t: 7 files are left out.*not images.*: train/a/note0.txt.* and 2 more$", text, re.M
    )
    assert "t: 2 hidden files are left out: train/b/.hidden.png, train/b/.cache/deep/9.png" in text
    assert "t: 1 links are left out, because they lead nowhere: test/b/gone.png" in text
    assert re.search(r"t: 1 images are left out.*no class folder: train/loose.png", text)
    assert re.search(r"t: 1 folders are left out.*: extra/", text)
    assert list(data.notes) == unread(ImageFolder(path="t"), Machine(study_dir=tmp_path))


def test_files_that_vanish_after_they_were_listed_are_one_sentence_with_their_number(tmp_path):
    data = read(write_tree(tmp_path / "t", train=9))
    for k in range(7):
        (tmp_path / "t" / "train" / "b" / f"{k}.png").unlink()
    with pytest.raises(
        DataError, match=r"7 of 18 listed images do not exist: train/b/0.png.* and 2 more"
    ):
        _ = data.hash


@pytest.mark.parametrize("crop", [13, 20])
def test_a_cut_that_is_larger_than_the_images_is_refused(tmp_path, crop):
    write_tree(tmp_path / "t")
    data = ImageFolder(path="t", crop=crop, crop_padding=4)
    with pytest.raises(DataError, match=rf"^data\.crop: {crop} .*12×12"):
        prepare(
            load(data, Machine(study_dir=tmp_path)),
            data,
            NoNoise(),
            Streams(0),
            torch.device("cpu"),
        )


def test_a_validation_folder_is_used_and_hidden_and_other_files_are_not(tmp_path):
    root = write_tree(tmp_path / "t", validation=3)
    (root / "train" / "a" / ".hidden.png").write_bytes(b"")
    (root / "train" / "a" / "notes.txt").write_text("")
    (root / "train" / ".thumbnails").mkdir()
    save(root / "train" / "a" / "big.JPEG", picture(5))
    data = read(root)
    assert len(data.validation) == 6
    assert len(data.train) == 17


def test_the_mean_is_that_of_the_training_pixels(tmp_path):
    data = read(write_tree(tmp_path / "t"))
    pixels = data.train.images.load(np.arange(16)) / 255
    assert data.mean == pytest.approx(pixels.mean((0, 1, 2)))
    assert data.std == pytest.approx(pixels.std((0, 1, 2)))


def without(root, *parts):
    import shutil

    shutil.rmtree(root.joinpath(*parts))


def test_what_is_missing_is_named(tmp_path):
    root = write_tree(tmp_path / "t", validation=1)
    with pytest.raises(DataError, match=r"^image_folder: .*/absent .*train/CLASS"):
        read(tmp_path / "absent")
    save(root / "test" / "z" / "0.png", picture(0))
    with pytest.raises(DataError, match=r"/test has the class z, .*train/ has a, b\."):
        read(root)
    without(root, "test", "z")
    without(root, "train", "b")
    with pytest.raises(DataError, match=r"/train .*\b1\b.*train/CLASS/\*\.jpg"):
        read(root)
    without(root, "train")
    with pytest.raises(DataError, match=r"/train does not exist .* next to val/ and test/"):
        read(root)


def test_an_empty_class_is_refused_with_what_it_holds(tmp_path):
    root = write_tree(tmp_path / "t")
    without(root, "train", "b")
    (root / "train" / "b").mkdir()
    (root / "train" / "b" / "x.psd").write_bytes(b"")
    with pytest.raises(DataError, match=r"/train/b .*\.psd"):
        read(root)


def test_a_class_without_test_images_is_allowed_and_an_empty_test_folder_is_not(tmp_path):
    root = write_tree(tmp_path / "t")
    without(root, "test", "b")
    assert set(read(root).test.labels) == {0}
    without(root, "test", "a")
    with pytest.raises(DataError, match=r"/test has no images .*\.jpg, .*\.png"):
        read(root)


def test_a_corrupt_first_image_is_a_sentence(tmp_path):
    root = write_tree(tmp_path / "t")
    (root / "train" / "a" / "0.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"/train/a/0\.png "):
        read(root)


@pytest.mark.parametrize("resident", [True, False])
def test_unknown_true_labels_are_not_measured(tmp_path, resident):
    root = write_tree(tmp_path / "t")
    machine = Machine(study_dir=tmp_path, resident=resident)
    data = ImageFolder(path="t", labels_are_true=False, validation_fraction=0.25)
    found = prepare(load(data, machine), data, NoNoise(), Streams(0), torch.device("cpu"), machine)
    assert (found.noise_rate, found.noise_transition, found.train.true_known) == (None, None, False)
    assert (found.train.true == -1).all()
    assert found.train.given.tolist() == [
        int(b"/b/" in name) for name in read(root).train.names[found.train.source_index]
    ]
    assert found.test.true_known


def test_a_table_of_noisy_labels_names_files_and_classes(tmp_path):
    write_tree(tmp_path / "t")
    (tmp_path / "noisy.csv").write_text("file,label\na/0.png,b\ntrain/b/3.png,a\n")
    machine, data = Machine(study_dir=tmp_path), ImageFolder(path="t", validation_fraction=0)
    found = prepare(
        load(data, machine),
        data,
        FileNoise(path="noisy.csv"),
        Streams(0),
        torch.device("cpu"),
        machine,
    )
    assert (found.train.given != found.train.true).nonzero().flatten().tolist() == [0, 11]
    assert found.noise_rate == 2 / 16
    assert found.noise_transition.tolist() == [[7 / 8, 1 / 8], [1 / 8, 7 / 8]]


def with_broken_files(folder):
    """A tree of 4 training images a class and 12 test images, one of either is no image."""
    root = write_tree(folder, train=4)
    whole = (root / "train" / "a" / "1.png").read_bytes()
    (root / "train" / "a" / "0.png").write_bytes(whole[: len(whole) // 2])
    test = sorted((root / "test").rglob("*.png"))[0]
    test.write_bytes(b"no image")
    return root, test.relative_to(root).as_posix()


def test_unreadable_files_are_an_error_unless_they_are_to_be_skipped(tmp_path):
    root, _ = with_broken_files(tmp_path / "t")
    with pytest.raises(DataError, match=r"a/0\.png is a damaged image"):
        read(root)  # the size of all images is that of the first


def test_skipped_files_are_left_out_listed_and_change_the_data(tmp_path):
    root, test = with_broken_files(tmp_path / "t")
    data = read(root, skip_unreadable=True)
    assert b"train/a/0.png" not in data.train.names
    assert data.train.labels.tolist() == [0, 0, 0, *[1] * (len(data.train) - 3)]
    assert data.train.images.load(np.arange(len(data.train))).shape[1:] == (12, 12, 3)
    assert data.test.images.load(np.arange(len(data.test))).shape[1:] == (12, 12, 3)
    assert data.notes == (
        f"t: 2 files are left out, because they are not valid images: train/a/0.png, {test}",
    )
    assert data.skipped_images == 2
    clean = write_tree(tmp_path / "clean", train=4)
    assert read(clean, skip_unreadable=True).hash == read(clean).hash
    assert read(clean, skip_unreadable=True).notes == ()
    assert read(clean, skip_unreadable=True).skipped_images == 0
