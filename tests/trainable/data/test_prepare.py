"""Splits, noise and normalised tensors of a data set in memory."""

import numpy as np
import pytest
import torch

from trainable.config.data import Digits, ImageData, NoNoise, PairNoise, SymmetricNoise
from trainable.config.runtime import Machine
from trainable.data.arrays import Arrays, Split
from trainable.data.dataset import Dataset
from trainable.data.prepare import prepare
from trainable.data.registry import load
from trainable.errors import DataError
from trainable.random_streams import Streams

CPU = torch.device("cpu")
NOISE = SymmetricNoise(rate=0.5)


@pytest.fixture(scope="module")
def digits() -> Arrays:
    return load(Digits(), Machine())


def made_up(
    n: int = 40, validation: int = 0, channels: int = 3, height: int = 9, width: int = 8
) -> Arrays:
    rng = np.random.default_rng(0)

    def split(size: int) -> Split:
        return Split(
            rng.integers(1, 256, (size, height, width, channels), dtype=np.uint8),
            rng.integers(0, 4, size),
        )

    train, test, own = split(n), split(10), split(validation) if validation else None
    return Arrays(train, own, test, 4, (0.5, 0.4, 0.3)[:channels], (0.2, 0.25, 0.3)[:channels])


def prepared(arrays: Arrays, data: ImageData | None = None, noise=NOISE, seed: int = 0) -> Dataset:
    return prepare(arrays, data or ImageData(), noise, Streams(seed), CPU)


def labels_by_row(data: Dataset) -> dict[int, int]:
    """{row as read: given label} over training and held-out samples."""
    parts = [part for part in (data.train, data.validation) if part is not None]
    return {
        int(row): int(label)
        for p in parts
        for row, label in zip(p.source_index, p.given, strict=True)
    }


# --- validation split ---


@pytest.mark.parametrize("seed", [0, 1])
def test_the_validation_split_is_disjoint_from_training_and_together_they_are_everything(
    digits, seed
):
    data = prepared(digits, Digits(validation_fraction=0.1), seed=seed)
    rows = np.concatenate([data.train.source_index, data.validation.source_index])
    assert len(data.validation) == 144  # of 1437
    assert sorted(rows) == list(range(1437))


def test_seeds_differ_in_validation_split_and_noise_but_share_the_test_set(digits):
    one, other = (prepared(digits, Digits(), seed=seed) for seed in (0, 1))
    assert not np.array_equal(one.validation.source_index, other.validation.source_index)
    assert labels_by_row(one) != labels_by_row(other)
    assert torch.equal(one.test.images, other.test.images)
    assert torch.equal(one.test.given, other.test.given)
    assert len(one.test) == 360
    assert one.data_hash == other.data_hash
    assert one.noise_hash != other.noise_hash


def test_the_same_seed_gives_the_same_data_set(digits):
    one, again = (prepared(digits, Digits(), seed=3) for _ in range(2))
    assert torch.equal(one.train.images, again.train.images)
    assert torch.equal(one.train.given, again.train.given)
    assert np.array_equal(one.validation.source_index, again.validation.source_index)
    assert (one.data_hash, one.noise_hash, one.noise_rate) == (
        again.data_hash,
        again.noise_hash,
        again.noise_rate,
    )


def test_another_validation_fraction_changes_no_given_label(digits):
    small, large, none = (
        labels_by_row(prepared(digits, Digits(validation_fraction=f))) for f in (0.05, 0.3, 0.0)
    )
    assert small == large == none
    assert len(small) == 1437


def test_no_validation_fraction_holds_nothing_out(digits):
    data = prepared(digits, Digits(validation_fraction=0))
    assert data.validation is None
    assert len(data.train) == 1437


def test_another_noise_does_not_move_the_validation_split(digits):
    splits = [
        prepared(digits, Digits(), noise).validation.source_index for noise in (NOISE, NoNoise())
    ]
    assert np.array_equal(*splits)


@pytest.mark.parametrize(
    ("n", "fraction"), [(1, 0.0), (3, 0.5)]
)  # round(1.5) is 2: one of three is left
def test_a_single_training_image_is_refused(n, fraction):
    with pytest.raises(DataError, match=r"^1 training images .*at least 2\b"):
        prepared(made_up(n), ImageData(validation_fraction=fraction))


def test_two_training_images_are_enough():
    assert len(prepared(made_up(2), ImageData(validation_fraction=0)).train) == 2


# --- noise ---


def test_given_labels_are_noisy_and_true_ones_are_not(digits):
    data = prepared(digits, Digits(), SymmetricNoise(rate=0.5, include_true=False))
    for part in (data.train, data.validation):
        assert np.array_equal(part.true.numpy(), digits.train.labels[part.source_index])
    wrong = (data.train.given != data.train.true).double().mean().item()
    assert data.noise_rate == pytest.approx(wrong)
    assert abs(wrong - 0.5) < 4 * 0.5 / np.sqrt(len(data.train))
    assert (data.validation.given != data.validation.true).any()
    assert torch.equal(data.test.given, data.test.true)


def test_a_validation_set_of_its_own_gets_noise_and_training_keeps_all_its_rows():
    arrays = made_up(validation=30)
    data = prepared(arrays, ImageData(validation_fraction=0.2), PairNoise(rate=1.0))
    assert np.array_equal(data.train.source_index, np.arange(40))
    assert np.array_equal(data.validation.source_index, np.arange(30))
    assert np.array_equal(data.validation.true.numpy(), arrays.validation.labels)
    assert np.array_equal(data.validation.given.numpy(), (arrays.validation.labels + 1) % 4)
    assert np.array_equal(data.validation.plain(slice(None)).shape, (30, 3, 9, 8))
    assert torch.equal(data.test.given, data.test.true)


def test_a_validation_set_of_its_own_does_not_change_the_training_noise():
    own, none = (prepared(made_up(validation=v), ImageData(validation_fraction=0)) for v in (30, 0))
    assert torch.equal(own.train.given, none.train.given)


def test_without_noise_no_label_is_wrong(digits):
    data = prepared(digits, Digits(), NoNoise())
    assert data.noise_rate == 0
    assert torch.equal(data.train.given, data.train.true)


def test_the_noise_hash_follows_the_noise_and_the_split_and_the_data_hash_only_the_data():
    variants = [
        prepared(made_up(), ImageData(validation_fraction=fraction), noise)
        for fraction in (0.1, 0.2)
        for noise in (NOISE, NoNoise())
    ]
    assert len({v.noise_hash for v in variants}) == 4
    assert len({v.data_hash for v in variants}) == 1
    assert prepared(made_up(41)).data_hash != variants[0].data_hash


def test_preparing_leaves_the_arrays_as_they_were():
    arrays = made_up(validation=10)
    before = arrays.hash
    data = prepared(arrays)
    data.train.images.zero_()
    data.train.given.zero_()
    assert arrays.hash == before


# --- pixels ---


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("padding", [0, 4])
def test_plain_images_are_normalised_per_channel_without_augmentation(channels, padding):
    arrays = made_up(channels=channels)
    data = prepared(arrays, ImageData(crop_padding=padding, validation_fraction=0.1))
    for part, raw in (
        (data.train, arrays.train),
        (data.validation, arrays.train),
        (data.test, arrays.test),
    ):
        pixels = raw.images[part.source_index] / 255
        expected = ((pixels - np.array(arrays.mean)) / np.array(arrays.std)).transpose(0, 3, 1, 2)
        assert np.allclose(part.plain(slice(None)).numpy(), expected, atol=1e-5)
        rows = torch.tensor([3, 0, 3])
        assert np.allclose(part.plain(rows).numpy(), expected[[3, 0, 3]], atol=1e-5)
    assert data.shape == (channels, 9, 8)


def test_the_training_images_have_mean_zero_and_deviation_one(digits):
    pixels = prepared(digits, Digits(validation_fraction=0)).train.plain(slice(None)).double()
    assert pixels.mean().item() == pytest.approx(0, abs=1e-5)
    assert pixels.std(correction=0).item() == pytest.approx(1, abs=1e-5)


def test_images_are_float32_in_channels_last_memory():
    train = prepared(made_up()).train
    for batch in (train.plain(slice(0, 5)), *train.views(torch.arange(5), 2, torch.Generator())):
        assert batch.dtype == torch.float32
        assert batch.shape == (5, 3, 9, 8)
        assert batch.is_contiguous(memory_format=torch.channels_last)


def test_views_are_independent_augmentations_of_the_same_images():
    train = prepared(made_up(), ImageData(crop_padding=4)).train
    index = torch.arange(20)
    views = train.views(index, 3, torch.Generator().manual_seed(0))
    assert len(views) == 3
    assert not any(torch.equal(views[a], views[b]) for a, b in ((0, 1), (0, 2), (1, 2)))
    again = train.views(index, 3, torch.Generator().manual_seed(0))
    assert all(torch.equal(a, b) for a, b in zip(views, again, strict=True))


def test_views_without_augmentation_are_the_plain_images():
    train = prepared(made_up(), ImageData(crop_probability=0)).train
    index = torch.tensor([7, 1, 7])
    for view in train.views(index, 2, torch.Generator()):
        assert torch.equal(view, train.plain(index))


def test_views_are_mirrored_only_if_the_data_says_so():
    for flip in (False, True):
        train = prepared(made_up(), ImageData(crop_padding=0, flip=flip)).train
        index = torch.arange(20)
        view, plain = train.views(index, 1, torch.Generator().manual_seed(0))[0], train.plain(index)
        mirrored = (view == plain.flip(3)).flatten(1).all(1)
        assert ((view == plain).flatten(1).all(1) ^ mirrored).all()
        assert mirrored.any().item() == flip
        assert not mirrored.all()


def test_padding_enters_a_view_as_black_not_as_the_mean():
    arrays = made_up()
    train = prepared(arrays, ImageData(crop_padding=4)).train
    view = train.views(torch.arange(20), 1, torch.Generator().manual_seed(0))[0]
    black = -torch.tensor(arrays.mean) / torch.tensor(arrays.std)
    # No pixel of the images is black, so all that equals black in every channel came in from outside.
    outside = torch.isclose(view, black[:, None, None]).all(1)
    assert outside.any()
    assert not outside.all()


@pytest.mark.parametrize(("limit", "known"), [(9, False), (10, True)])
def test_the_transition_matrix_of_many_classes_is_left_out(limit, known, digits, monkeypatch):
    monkeypatch.setattr("trainable.data.prepare.TRANSITION_CLASSES", limit)
    matrix = prepared(digits, Digits()).noise_transition
    assert (matrix is not None) == known
