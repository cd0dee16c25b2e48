"""Long-tailed classes: published sizes, who is kept, and what stays whole."""

import dataclasses

import numpy as np
import pytest
import torch

from tests.trainable.data.test_prepare import made_up
from trainable.config.data import Digits, ImageData, NoNoise, SymmetricNoise
from trainable.config.runtime import Machine
from trainable.data.arrays import Split
from trainable.data.class_imbalance import long_tailed
from trainable.data.dataset import Dataset
from trainable.data.prepare import prepare
from trainable.data.registry import load
from trainable.errors import DataError
from trainable.random_streams import Streams

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def digits():
    return load(Digits(), Machine())


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def prepared(arrays, imbalance: float, seed: int = 0, noise=None, **fields) -> Dataset:
    data = ImageData(imbalance=imbalance, **{"validation_fraction": 0.1, **fields})
    return prepare(arrays, data, noise or NoNoise(), Streams(seed), CPU)


def kept(data: Dataset) -> list[int]:
    return sorted([*data.train.source_index.tolist(), *data.validation.source_index.tolist()])


@pytest.mark.parametrize(
    ("imbalance", "sizes"),
    [
        (100, [5000, 2997, 1796, 1077, 645, 387, 232, 139, 83, 50]),
        (10, [5000, 3871, 2997, 2320, 1796, 1391, 1077, 834, 645, 500]),
        (1, [5000] * 10),
    ],
)
def test_equal_classes_have_the_sizes_of_the_long_tailed_cifar10(imbalance, sizes):
    labels = rng(3).permutation(np.arange(50_000) % 10)
    rows = long_tailed(labels, 10, imbalance, rng())
    assert np.bincount(labels[rows]).tolist() == sizes
    assert np.array_equal(rows, np.unique(rows))


def test_uneven_classes_have_the_profile_too_with_as_many_as_possible():
    labels = np.repeat([0, 1, 2], [100, 30, 40])
    # Class 1 has fewest: 30 of n · 16^(−1/2), so n is 120; class 0 lacks these, so n is 100.
    assert np.bincount(labels[long_tailed(labels, 3, 16, rng())]).tolist() == [100, 25, 6]
    labels = np.repeat([0, 1, 2], [100, 10, 40])
    assert np.bincount(labels[long_tailed(labels, 3, 16, rng())]).tolist() == [40, 10, 2]


def test_a_class_without_an_image_is_refused():
    labels = np.repeat([0, 1], [50, 50])
    with pytest.raises(DataError, match=r"^data\.imbalance: 100 leaves class 1 no .* 50 of its 50"):
        long_tailed(labels, 2, 100, rng())
    with pytest.raises(DataError, match="leaves class 0 no"):
        long_tailed(labels, 3, 1, rng())


def test_the_digits_fall_from_class_to_class_and_the_test_set_stays_whole(digits):
    data = prepared(digits, 10)
    rows = kept(data)
    counts = np.bincount(digits.train.labels[rows], minlength=10)
    assert counts[0] == pytest.approx(10 * counts[9], rel=0.1)
    assert (np.diff(counts) < 0).all()
    assert len(data.test) == 360
    assert len(data.validation) == round(0.1 * len(rows))


def test_a_seed_decides_who_is_kept_and_arms_share_it(digits):
    one = prepared(digits, 10)
    noisy = prepared(digits, 10, noise=SymmetricNoise(rate=0.5))
    other = prepared(digits, 10, seed=1)
    assert kept(one) == kept(noisy) == kept(prepared(digits, 10, validation_fraction=0.3))
    assert kept(one) != kept(other)
    assert one.noise_hash != other.noise_hash
    assert one.data_hash == other.data_hash


def test_exactly_the_share_of_the_kept_samples_is_noisy(digits):
    noise = SymmetricNoise(rate=0.5)
    whole = prepared(digits, 10, validation_fraction=0, noise=noise)
    assert whole.noise_rate == pytest.approx(0.45, abs=0.05)
    changed = (whole.train.given != whole.train.true).sum()
    assert changed <= int(0.5 * len(whole.train))


def test_no_imbalance_leaves_everything_as_it_was(digits):
    assert kept(prepared(digits, 1)) == list(range(1437))


def test_a_validation_set_of_the_data_is_long_tailed_too(digits):
    own = Split(digits.train.images[:500], digits.train.labels[:500])
    data = prepared(dataclasses.replace(digits, validation=own), 10)
    counts = torch.bincount(data.validation.true)
    assert counts[0] > 5 * counts[9]
    assert (counts.diff() <= 0).all()


def test_without_true_labels_the_given_ones_count():
    arrays = made_up(200)
    unknown = dataclasses.replace(arrays, train=arrays.train.untrusted())
    assert kept(prepared(unknown, 4)) == kept(prepared(arrays, 4))
