"""A test set that is held out of the training images: what is in it, and that it is never trained on."""

import re
import shutil

import numpy as np
import pytest
import torch
from pydantic import ValidationError

from tests.trainable.trees import picture, save, write_tree
from trainable.config.data import FileNoise, ImageFolder, NoNoise, Npz, SymmetricNoise
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig, trial_id
from trainable.data.held_out import contents_of, half_width, held_out, too_small
from trainable.data.prepare import prepare
from trainable.data.registry import load
from trainable.errors import DataError
from trainable.random_streams import Streams
from trainable.trial.trial import Trial

CPU = torch.device("cpu")


def flat(root, **fields):
    """`CLASS/N.png` of two classes, one image of them in a nested folder."""
    write_tree(root, **fields)
    for name in ("a", "b"):
        (root / "train" / name).rename(root / name)
    shutil.rmtree(root / "train")
    shutil.rmtree(root / "test", ignore_errors=True)
    (root / "a" / "deep").mkdir()
    (root / "a" / "0.png").rename(root / "a" / "deep" / "0.png")
    return root


def arrays_file(path, n=100, **more):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (n, 8, 8), dtype=np.uint8)
    np.savez(path, train_images=images, train_labels=np.arange(n) % 4, **more)
    return images


def read(root, **fields):
    return load(ImageFolder(path=root.name, **fields), Machine(study_dir=root.parent))


def prepared(data, folder, noise=None, seed=0):
    machine = Machine(study_dir=folder)
    return prepare(load(data, machine), data, noise or NoNoise(), Streams(seed), CPU, machine)


# --- the draw ---


@pytest.mark.parametrize("fraction", [0.1, 0.2, 0.5])
def test_each_class_gives_its_share(fraction):
    labels = np.repeat([0, 1, 2], [200, 50, 10])
    rows = held_out(labels, np.arange(260), fraction)
    assert np.bincount(labels[rows]).tolist() == [
        round(fraction * count) for count in (200, 50, 10)
    ]
    assert (np.diff(rows) > 0).all()
    assert np.array_equal(rows, held_out(labels, np.arange(260), fraction))


def test_copies_stay_on_one_side_even_under_different_classes():
    rng = np.random.default_rng(0)
    for _ in range(50):
        labels = rng.integers(0, 3, 60)
        contents = rng.integers(0, 25, 60)
        rows = held_out(labels, contents, 0.3)
        rest = np.delete(np.arange(60), rows)
        assert not set(contents[rows]) & set(contents[rest])
        share = np.bincount(labels[rows], minlength=3) / np.bincount(labels)
        assert (share <= 0.35).all()
        assert set(labels[rest]) == {0, 1, 2}


def test_a_class_keeps_an_image_for_training():
    labels = np.array([0, 0, 1, 1, 1, 1])
    assert np.bincount(labels[held_out(labels, np.arange(6), 0.5)]).tolist() == [1, 2]
    with pytest.raises(
        DataError, match=r"no test image .*\.test_fraction is 0\.2, .* has 2 images"
    ):
        held_out(np.array([0, 0, 1, 1]), np.arange(4), 0.2)


# --- what is read ---


def test_a_flat_folder_is_read_with_its_nested_images(tmp_path):
    data = read(flat(tmp_path / "t", train=10))
    assert data.class_names == ("a", "b")
    assert data.train.names.tolist()[:2] == [b"a/1.png", b"a/2.png"]
    assert b"a/deep/0.png" in data.train.names
    assert len(data.train) == 20
    assert np.bincount(data.test.labels).tolist() == [2, 2]
    assert data.test.names.tolist() == data.train.names[data.held_out].tolist()
    pixels = data.train.images.load(data.trained) / 255
    assert data.mean == pytest.approx(pixels.mean((0, 1, 2)))
    assert data.notes == ()
    assert data.test_labels == "unchecked"


def test_images_beside_the_class_folders_of_a_flat_folder_are_told(tmp_path):
    root = flat(tmp_path / "t", train=10)
    save(root / "loose.png", picture(1))
    (root / "notes.txt").write_text("x")
    found = read(root).notes
    assert any(re.search("in no class folder: loose.png", note) for note in found)
    assert any(re.search("not images .*: notes.txt", note) for note in found)


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_splits_without_class_folders_are_no_classes(tmp_path, split):
    for name in {split, "train"}:
        save(tmp_path / "t" / name / "0.png", picture(1))
    with pytest.raises(DataError, match=r"/t has [12] class folders; expected CLASS/\*\.jpg or"):
        read(tmp_path / "t")


def test_an_npz_without_a_test_set_is_read(tmp_path):
    images = arrays_file(tmp_path / "a.npz")
    data = load(Npz(path="a.npz", test_fraction=0.1), Machine(study_dir=tmp_path))
    assert np.array_equal(data.test.images[..., 0], images[data.held_out])
    assert np.bincount(data.test.labels).tolist() == [2, 2, 2, 2]
    assert data.test_labels == "unchecked"
    trusted = Npz(path="a.npz", test_labels="trusted")
    assert load(trusted, Machine(study_dir=tmp_path)).test_labels == "trusted"
    arrays_file(tmp_path / "a.npz", train_noisy_labels=np.zeros(100, int))
    data = load(Npz(path="a.npz"), Machine(study_dir=tmp_path))
    assert data.test_labels == "trusted", "train_labels are the truth"
    assert set(data.test.labels) == {0, 1, 2, 3}
    arrays_file(tmp_path / "a.npz", test_images=images_of_another_size())
    with pytest.raises(DataError, match="`test_labels` is missing"):
        load(Npz(path="a.npz"), Machine(study_dir=tmp_path))


def images_of_another_size():
    return np.zeros((2, 8, 8), np.uint8)


# --- what is trained on ---


@pytest.mark.parametrize("resident", [True, False])
@pytest.mark.parametrize("seed", [0, 1])
def test_what_is_held_out_is_the_same_for_every_seed_and_in_no_other_part(tmp_path, resident, seed):
    root = flat(tmp_path / "t", train=20)
    shutil.copy(root / "a" / "1.png", root / "b" / "copy.png")
    shutil.copy(root / "a" / "2.png", root / "a" / "copy.png")
    data = ImageFolder(path="t", labels_are_true=False, validation_fraction=0.25)
    machine = Machine(study_dir=tmp_path, resident=resident)
    arrays = load(data, machine)
    found = prepare(arrays, data, NoNoise(), Streams(seed), CPU, machine)
    parts = [found.train.source_index, found.validation.source_index, arrays.held_out]
    assert sorted(np.concatenate(parts)) == list(range(42))
    assert len(parts[1]) == round(0.25 * (42 - len(parts[2])))
    every = torch.arange(len(found.test))
    tested = found.test.plain(every)
    for part in (found.train, found.validation):
        others = part.plain(torch.arange(len(part)))
        assert not any((others == image).all((1, 2, 3)).any() for image in tested)
    assert found.test.true.tolist() == [int(b"b/" in name) for name in arrays.test.names]
    assert (found.train.true == -1).all()
    assert set(found.train.given.tolist()) == {0, 1}


def test_noise_is_put_on_the_training_images_only(tmp_path):
    arrays_file(tmp_path / "a.npz", 200)
    data = Npz(path="a.npz", validation_fraction=0)
    noise = SymmetricNoise(rate=0.5, include_true=False)
    found = prepared(data, tmp_path, noise)
    assert 0.35 < found.noise_rate < 0.65
    arrays = load(data, Machine(study_dir=tmp_path))
    assert found.test.true.tolist() == arrays.test.labels.tolist()


def test_a_noise_file_covers_all_images_of_the_folder(tmp_path):
    root = flat(tmp_path / "t", train=10)
    (tmp_path / "noisy.csv").write_text("file,label\na/1.png,b\nb/3.png,a\ndeep/0.png,b\n")
    data = ImageFolder(path="t", validation_fraction=0)
    found = prepared(data, tmp_path, FileNoise(path="noisy.csv"))
    names = read(root).train.names
    wrong = {b"a/1.png", b"b/3.png", b"a/deep/0.png"}
    for row, given, true in zip(
        found.train.source_index, found.train.given, found.train.true, strict=True
    ):
        assert (given != true) == (names[row] in wrong)
    assert found.test.true.tolist() == [int(b"b/" in name) for name in read(root).test.names]
    (tmp_path / "noisy.csv").write_text("file,label\n1.png,b\n")
    with pytest.raises(DataError, match=r"`1\.png` is not among the 20 training images"):
        prepared(data, tmp_path, FileNoise(path="noisy.csv"))


def test_a_trial_says_in_its_summary_that_the_test_labels_are_unchecked(tmp_path):
    flat(tmp_path / "t", train=10)
    content = {
        "data": {"name": "image_folder", "path": "t"},
        "model": {"name": "small_cnn", "width": 4},
        "train": {"epochs": 1, "batch_size": 4},
        "method": {"name": "cross_entropy"},
    }
    for labels, expected in ((None, "unchecked"), ("trusted", None)):
        content["data"]["test_labels"] = labels
        trial = Trial(TrialConfig.model_validate(content), Machine(study_dir=tmp_path))
        rows = list(trial)
        assert trial.summary().get("test_labels") == expected
        assert len(rows) == 1


def test_ids_change_only_where_the_study_says_so():
    def identity(**fields) -> str:
        return trial_id(TrialConfig(data=ImageFolder(path="t", **fields)))

    assert identity() == "c696bc95024ecb34", "as before there were these fields"
    assert identity(test_fraction=0.2, test_labels=None) == identity()
    others = [
        identity(test_fraction=0.1),
        identity(test_labels="trusted"),
        identity(test_labels="unchecked"),
    ]
    assert len({identity(), *others}) == 4
    declared = identity(test_labels="unchecked", test_noise="symmetric", test_noise_rate=0.2)
    assert declared == identity(test_labels="unchecked"), "it changes no row"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"test_noise": "symmetric"}, "need each other"),
        ({"test_noise_rate": 0.2}, "need each other"),
        (
            {"test_noise": "symmetric", "test_noise_rate": 0.2, "test_labels": "trusted"},
            "trusted test labels have no noise",
        ),
        ({"test_noise": "symmetric", "test_noise_rate": 1.0}, "less than 1"),
        ({"test_noise": "class_dependent", "test_noise_rate": 0.2}, "need each other"),
        ({"test_noise": "class_dependent", "test_noise_counts": [[1]]}, "two at least"),
        ({"test_noise": "class_dependent", "test_noise_counts": [[1, 2], [3]]}, "row 1 has 1"),
        ({"test_noise": "class_dependent", "test_noise_counts": [[1, 2], [0, 0]]}, "row 1 has no"),
        ({"test_noise": "by_image"}, "'symmetric' or 'class_dependent'"),
    ],
)
def test_declared_noise_is_whole_and_of_unchecked_labels(fields, message):
    with pytest.raises(ValidationError, match=message):
        ImageFolder(path="t", **fields)


# --- a test set that tests nothing ---


def test_a_test_set_of_training_images_is_refused_with_their_number(tmp_path):
    root = write_tree(tmp_path / "t", train=8, test=4)
    for k in range(3):
        for name in ("a", "b"):
            shutil.copy(root / "train" / name / f"{k}.png", root / "test" / name / f"{k}.png")
    with pytest.raises(DataError, match=r"^t: 6 of 8 test images are training images"):
        read(root)
    for k in range(2):
        save(root / "test" / "a" / f"{k}.png", picture(k))
        save(root / "test" / "b" / f"{k}.png", picture(k + 50))
    assert len(read(root).test) == 8, "2 of 8: `init` tells of them"
    images = arrays_file(tmp_path / "a.npz")
    arrays_file(tmp_path / "a.npz", test_images=images[:10], test_labels=np.arange(10) % 4)
    with pytest.raises(DataError, match=r"a\.npz: 10 of 10 test images are training images"):
        load(Npz(path="a.npz"), Machine(study_dir=tmp_path))


def test_contents_are_equal_where_pixels_are():
    images = np.random.default_rng(0).integers(0, 256, (20, 4, 4), dtype=np.uint8)
    images[7] = images[3]
    found = contents_of(images)
    assert found[7] == found[3]
    assert len(set(found.tolist())) == 19


def test_a_small_test_set_is_told_with_its_interval():
    assert too_small(100) == (
        "100 test images: an accuracy is known to ±9.8 points at worst (95 %); 385 images give ±5"
    )
    assert too_small(385) is None
    rng = np.random.default_rng(0)
    shares = rng.binomial(100, 0.5, 20_000) / 100
    covered = np.abs(shares - 0.5) <= half_width(100)
    assert 0.93 < covered.mean() < 0.97
