"""Samples of embeddings: what is read, normalised and augmented; what is in memory."""

from pathlib import Path

import numpy as np
import pytest
import torch

from trainable.config.data import NoNoise
from trainable.config.embeddings import Embeddings
from trainable.data import embeddings
from trainable.data.dataset import Dataset
from trainable.data.feature_samples import FeatureSamples, random_bytes
from trainable.data.prepare import prepare
from trainable.random_streams import Streams

CPU = torch.device("cpu")
OFF = {"feature_dropout": 0.0}


def prepared(folder: Path, n: int = 400, width: int = 64, **fields) -> tuple[Dataset, np.ndarray]:
    rng = np.random.default_rng(0)
    features = (3 * rng.normal(size=(n, width)) + 1).astype(np.float16)
    np.savez(folder / "f.npz", features=features, labels=np.arange(n) % 4)
    data = Embeddings(path=str(folder / "f.npz"), **fields)
    arrays = embeddings.load(folder / "f.npz", data, None)
    return prepare(arrays, data, NoNoise(), Streams(0), CPU), features


def views(train: FeatureSamples, count: int = 2, seed: int = 0, strong: bool = False):
    index = torch.arange(len(train))
    rng = train.draws(torch.Generator().manual_seed(seed))
    return (train.strong_views if strong else train.views)(index, count, rng)


def test_the_samples_are_those_of_the_file(tmp_path):
    data, features = prepared(tmp_path, normalise="none")
    assert isinstance(data.train, FeatureSamples)
    assert data.shape == (64,)
    for samples in (data.train, data.validation):
        expected = features[samples.source_index].astype(np.float32)
        np.testing.assert_array_equal(samples.every().numpy(), expected)
        np.testing.assert_array_equal(samples.given.numpy(), samples.source_index % 4)
    some = data.train.only(np.array([5, 2]))
    expected = features[data.train.source_index[[5, 2]]].astype(np.float32)
    np.testing.assert_array_equal(some.plain(slice(0, 9)).numpy(), expected)
    rows = len(data.train) + len(data.validation) + len(data.test)
    assert rows == 400


def test_standard_and_l2_scale_as_they_say(tmp_path):
    data, _ = prepared(tmp_path, normalise="standard", validation_fraction=0)
    every = data.train.every()
    torch.testing.assert_close(every.mean(0), torch.zeros(64), atol=1e-5, rtol=0)
    torch.testing.assert_close(every.std(0, correction=0), torch.ones(64), atol=1e-4, rtol=0)
    data, features = prepared(tmp_path, normalise="l2")
    raw = features[data.train.source_index].astype(np.float64)
    expected = 8 * raw / np.linalg.norm(raw, axis=1, keepdims=True)
    np.testing.assert_allclose(data.train.every().numpy(), expected, rtol=1e-5)


def test_a_constant_feature_is_not_divided_by_zero(tmp_path):
    features = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    features[:, 1] = 7
    np.savez(tmp_path / "f.npz", features=features, labels=np.arange(40) % 2)
    data = Embeddings(path=str(tmp_path / "f.npz"))
    arrays = embeddings.load(tmp_path / "f.npz", data, None)
    train = prepare(arrays, data, NoNoise(), Streams(0), CPU).train
    assert (train.every()[:, 1] == 0).all()


def test_dropout_sets_its_share_to_zero_and_keeps_the_mean(tmp_path):
    data, _ = prepared(tmp_path, feature_dropout=0.25, n=2000)
    plain = data.train.every()
    one, two = views(data.train)
    assert (one == 0).float().mean() == pytest.approx(0.25, abs=0.01)
    assert not torch.equal(one == 0, two == 0)
    kept = one != 0
    torch.testing.assert_close(one[kept], plain[kept] / 0.75)


def test_jitter_has_its_standard_deviation_in_every_scale(tmp_path):
    for normalise, unit in (("standard", 1), ("l2", 1), ("none", 10**0.5)):
        fields = {"normalise": normalise, "feature_jitter": 0.5, **OFF}
        data, _ = prepared(tmp_path, n=2000, **fields)
        noise = views(data.train)[0] - data.train.every()
        assert noise.std() == pytest.approx(0.5 * unit, rel=0.03)


def test_mixing_takes_features_of_other_samples(tmp_path):
    data, _ = prepared(tmp_path, n=2000, feature_mixing=0.5, **OFF)
    plain = data.train.every()
    view = views(data.train)[0]
    other = view != plain
    assert other.float().mean() == pytest.approx(0.5, abs=0.01)
    # Each feature of another sample is that of the same column.
    for column in (0, 30):
        assert torch.isin(view[:, column], plain[:, column]).all()
    assert not torch.equal(view[0], plain[0])


def test_without_augmentation_views_are_the_vectors_in_memory_of_their_own(tmp_path):
    data, _ = prepared(tmp_path, **OFF)
    one, two = views(data.train)
    assert torch.equal(one, two)
    one.zero_()
    assert torch.equal(two, data.train.every())


def test_strong_views_are_stronger_by_their_factor_and_limited(tmp_path):
    data, _ = prepared(tmp_path, n=2000, feature_dropout=0.2, strong_views=3.0)
    assert (views(data.train, strong=True)[0] == 0).float().mean() == pytest.approx(0.6, abs=0.02)
    data, _ = prepared(tmp_path, n=2000, feature_dropout=0.5, strong_views=3.0)
    assert (views(data.train, strong=True)[0] == 0).float().mean() == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("share", [0.95, 0.999])
def test_ordinary_views_have_no_limit_but_the_field(tmp_path, share):
    data, _ = prepared(tmp_path, n=2000, feature_dropout=share)
    view = views(data.train)[0]
    assert (view == 0).float().mean() == pytest.approx(min(share, 255 / 256), abs=0.004)
    assert torch.isfinite(view).all()
    assert (views(data.train, strong=True)[0] == 0).float().mean() == pytest.approx(0.9, abs=0.01)
    data, _ = prepared(tmp_path, n=2000, feature_mixing=0.95, **OFF)
    other = views(data.train)[0] != data.train.every()
    assert other.float().mean() == pytest.approx(0.95, abs=0.01)


def test_views_depend_on_the_generator_alone(tmp_path):
    data, _ = prepared(tmp_path, feature_jitter=0.1, feature_mixing=0.1)
    assert torch.equal(views(data.train, seed=1)[1], views(data.train, seed=1)[1])
    assert not torch.equal(views(data.train, seed=1)[1], views(data.train, seed=2)[1])


def test_random_bytes_are_uniform_in_each_position():
    numbers = random_bytes(torch.Size((4000, 16)), torch.Generator().manual_seed(0)).double()
    # The mean of 4,000 bytes has a standard deviation of 1.17.
    assert (numbers.mean(0) - 127.5).abs().max() < 6
    counts = torch.bincount(numbers.long().flatten(), minlength=256)
    assert counts.min() > 150
    assert counts.max() < 350


def test_features_are_mapped_once_for_all_splits(tmp_path):
    data, _ = prepared(tmp_path)
    storages = {each.images.data_ptr() for each in (data.train, data.validation, data.test)}
    assert len(storages) == 1
    assert data.train.images.dtype == torch.uint8
