"""Noise by corrupted images: who is corrupted, what networks see, and which label they get."""

import dataclasses

import numpy as np
import pytest
import torch

from tests.trainable.data.test_prepare import made_up
from tests.trainable.trees import write_tree
from trainable.__main__ import main
from trainable.config.data import CorruptedNoise, Digits, ImageData, ImageFolder
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.data.arrays import Split
from trainable.data.corrupted_noise import CleanImages, Corrupted
from trainable.data.corruptions import corrupted
from trainable.data.dataset import Dataset
from trainable.data.prepare import prepare
from trainable.data.registry import load
from trainable.errors import DataError
from trainable.random_streams import Streams
from trainable.trial.trial import Trial

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits():
    return load(Digits(), Machine())


def prepared(arrays, rate: float = 0.4, seed: int = 0, **fields) -> Dataset:
    data = ImageData(**{"crop_padding": 0, **fields})
    return prepare(arrays, data, CorruptedNoise(rate=rate), Streams(seed), CPU)


def changed(arrays, part) -> np.ndarray:
    """Whether a sample's image differs from the one that was read."""
    return (part.images.numpy() != arrays.train.images[part.source_index]).any((1, 2, 3))


def test_exactly_the_chosen_share_is_corrupted_and_all_of_it_gets_a_wrong_label(digits):
    data = prepared(digits, 0.4, validation_fraction=0)
    wrong = (data.train.given != data.train.true).numpy()
    assert wrong.sum() == int(0.4 * 1437)
    assert data.noise_rate == wrong.mean()
    assert np.array_equal(changed(digits, data.train), wrong)


def test_training_and_validation_see_corrupted_images_and_the_test_set_does_not(digits):
    data = prepared(digits, 0.5, validation_fraction=0.3)
    for part in (data.train, data.validation):
        wrong = (part.given != part.true).numpy()
        assert 0.4 < wrong.mean() < 0.6
        assert np.array_equal(changed(digits, part), wrong)
    assert np.array_equal(data.test.images.numpy(), digits.test.images)
    assert torch.equal(data.test.given, data.test.true)


def test_a_clean_validation_set_has_its_own_images(digits):
    data = prepared(digits, 0.5, validation_fraction=0.3, clean_validation=True)
    assert not changed(digits, data.validation).any()
    assert torch.equal(data.validation.given, data.validation.true)
    assert changed(digits, data.train).sum() == int(0.5 * len(data.train))


def test_a_validation_set_of_the_data_is_corrupted_too(digits):
    rows = np.arange(400)
    own = Split(digits.train.images[rows], digits.train.labels[rows])
    data = prepared(dataclasses.replace(digits, validation=own), 0.5)
    assert (data.validation.given != data.validation.true).sum() == 200
    assert changed(digits, data.validation).sum() == 200


def test_the_seed_and_the_images_are_part_of_the_hash(digits):
    one, again, other = (prepared(digits, seed=seed) for seed in (0, 0, 1))
    assert one.noise_hash == again.noise_hash != other.noise_hash
    assert torch.equal(one.train.images, again.train.images)
    assert one.data_hash == other.data_hash
    inverted = dataclasses.replace(digits.train, images=255 - digits.train.images)
    negative = prepared(dataclasses.replace(digits, train=inverted))
    # Negatives resemble negatives, but occlusion and low light leave other traces.
    assert negative.noise_hash != one.noise_hash


def test_another_validation_fraction_changes_no_image(digits):
    small, large = (prepared(digits, validation_fraction=f) for f in (0.1, 0.3))
    images = {}
    for data in (small, large):
        for part in (data.train, data.validation):
            for row, image in zip(part.source_index, part.images.numpy(), strict=True):
                assert np.array_equal(images.setdefault(int(row), image), image)


def test_the_label_is_that_of_the_most_similar_image_of_another_class():
    images = np.random.default_rng(0).integers(0, 256, (30, 6, 6, 1), dtype=np.uint8)
    labels = np.arange(30) % 3
    clean = CleanImages.of(Split(images, labels), np.arange(30), 3, np.random.default_rng(1))
    asked = np.random.default_rng(2).integers(0, 256, (8, 6, 6, 1), dtype=np.uint8)
    own = np.arange(8) % 3
    found = clean.most_similar(asked, own, np.random.default_rng(3))
    for image, label, answer in zip(asked, own, found, strict=True):
        likeness = [np.corrcoef(image.ravel(), other.ravel())[0, 1] for other in images]
        best = max(np.flatnonzero(labels != label), key=lambda row: likeness[row])
        assert answer == labels[best]


def test_images_that_show_nothing_get_any_other_class():
    images = np.random.default_rng(0).integers(0, 256, (40, 6, 6, 1), dtype=np.uint8)
    labels = np.arange(40) % 4
    clean = CleanImages.of(Split(images, labels), np.arange(40), 4, np.random.default_rng(1))
    blank = np.full((300, 6, 6, 1), 9, np.uint8)
    found = clean.most_similar(blank, np.zeros(300, int), np.random.default_rng(2))
    assert np.bincount(found, minlength=4).tolist() == pytest.approx([0, 100, 100, 100], abs=35)


def test_every_class_has_equally_many_clean_images():
    labels = np.repeat([0, 1, 2], [2900, 90, 10])
    images = np.zeros((3000, 4, 4, 1), np.uint8)
    clean = CleanImages.of(Split(images, labels), np.arange(3000), 3, np.random.default_rng(0))
    assert np.bincount(clean.labels).tolist() == [666, 90, 10]


def test_corrupted_images_replace_those_of_their_rows():
    fresh = Corrupted(np.array([1, 4, 6]), np.array([[10], [40], [60]]), np.zeros(3, int))
    images = np.arange(4)[:, None]
    fresh.put_into(images, np.array([0, 4, 5, 6]))
    assert images.ravel().tolist() == [0, 40, 2, 60]


def test_one_class_alone_is_refused():
    arrays = made_up()
    train = dataclasses.replace(arrays.train, labels=np.zeros(40, int))
    with pytest.raises(DataError, match=r"^noise\.name: corrupted .*two classes"):
        prepared(dataclasses.replace(arrays, train=train))


def test_image_files_are_corrupted_in_memory_and_refused_when_streamed(tmp_path):
    tree = write_tree(tmp_path / "t", train=20)
    data = ImageFolder(path="t", crop_padding=0, validation_fraction=0)
    machines = [Machine(study_dir=tree.parent, resident=wish) for wish in (True, False)]
    arrays = load(data, machines[0])
    noise = CorruptedNoise(rate=0.5)
    assert prepare(arrays, data, noise, Streams(0), CPU, machines[0]).noise_rate == 0.5
    with pytest.raises(DataError, match=r"^noise\.name: corrupted .*run\.resident: true"):
        prepare(arrays, data, noise, Streams(0), CPU, machines[1])


def test_a_trial_records_rate_matrix_and_hash():
    config = TrialConfig.model_validate(
        {
            "noise": {"name": "corrupted", "rate": 0.3, "corruptions": ["blur"]},
            "model": {"name": "small_cnn", "width": 4},
            "train": {"epochs": 1},
            "method": {"name": "cross_entropy"},
        }
    )
    trial = Trial(config, Machine(device="cpu"))
    next(trial)
    summary = trial.summary()
    assert summary["noise_rate_nominal"] == 0.3
    assert summary["noise_rate"] == pytest.approx(0.3, abs=0.02)
    off = np.array(summary["noise_transition"])
    assert np.diag(off) == pytest.approx(np.full(10, 0.7), abs=0.12)
    assert summary["noise_hash"] == trial.data.noise_hash


def test_no_file_of_labels_is_written_for_corrupted_images(tmp_path, capsys):
    (tmp_path / "trial.yaml").write_text("noise: {name: corrupted, rate: 0.5}\n")
    assert main([str(tmp_path / "trial.yaml"), "--noise-file", str(tmp_path / "noise")]) == 2
    assert "corrupted also changes images" in capsys.readouterr().err
    assert not (tmp_path / "noise").exists()


@pytest.mark.parametrize("kind", ["blur", "occlusion", "low_light"])
def test_the_class_of_most_corrupted_digits_is_hidden(digits, kind):
    rng = np.random.default_rng(0)
    clean = CleanImages.of(digits.train, digits.trained, 10, rng)
    none = np.full(len(digits.test), -1)
    images = digits.test.images
    assert (clean.most_similar(images, none, rng) == digits.test.labels).mean() > 0.95
    seen = clean.most_similar(corrupted(images, [kind], rng), none, rng)
    assert (seen == digits.test.labels).mean() < 0.5
