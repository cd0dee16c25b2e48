"""Streamed images: the same numbers as resident ones, decoded in workers."""

import dataclasses

import numpy as np
import pytest
import torch

from tests.trainable.trees import write_tree
from trainable.config.data import ImageFolder, InstanceNoise, SymmetricNoise
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.data.dataset import Dataset
from trainable.data.prepare import prepare, resident
from trainable.data.registry import load
from trainable.errors import DataError
from trainable.random_streams import Streams
from trainable.trial.trial import Trial

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    return write_tree(tmp_path_factory.mktemp("data") / "t", train=20, test=6)


def prepared(tree, wish, threads=1, **fields) -> Dataset:
    data = ImageFolder(**{"path": "t", "flip": True, "validation_fraction": 0.2, **fields})
    machine = Machine(study_dir=tree.parent, resident=wish, threads=threads)
    return prepare(load(data, machine), data, SymmetricNoise(rate=0.5), Streams(0), CPU, machine)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"size": 10, "crop": 8, "crop_padding": 0},
        {"crop": 9, "channels": 1},
        {"size": 10, "crop": 8, "resized_crop": True},
    ],
)
def test_streamed_views_and_plain_images_are_the_resident_ones(tree, fields):
    both = [prepared(tree, wish, **fields) for wish in (True, False)]
    index = torch.tensor([3, 0, 17, 3])
    for part in ("train", "validation", "test"):
        one, other = (getattr(data, part) for data in both)
        at = index % len(one)
        assert torch.equal(one.plain(at), other.plain(at))
        assert torch.equal(one.plain(slice(2, 5)), other.plain(slice(2, 5)))
        views = [samples.views(at, 2, torch.Generator().manual_seed(1)) for samples in (one, other)]
        assert all(torch.equal(a, b) for a, b in zip(*views, strict=True))
        assert torch.equal(
            one.only(at.numpy()).plain(torch.tensor([1])),
            other.only(at.numpy()).plain(torch.tensor([1])),
        )
    assert both[0].shape == both[1].shape
    assert both[0].data_hash == both[1].data_hash
    assert both[0].noise_hash == both[1].noise_hash


@pytest.mark.parametrize("threads", [1, 2])
def test_announced_batches_come_in_order_and_are_decoded_by_workers(tree, threads, monkeypatch):
    data, still = prepared(tree, False, threads), prepared(tree, True)
    stream = data.train.images.stream
    monkeypatch.setattr(stream, "fetch", lambda *request: pytest.fail("decoded here"))
    order = torch.randperm(32, generator=torch.Generator().manual_seed(0))
    for _ in range(2):  # the workers live on
        batches = [
            (x, u, 0.5) for x, u in zip(order[:16].split(5), order[16:].split(5), strict=True)
        ]
        for batch, (x, u, half) in zip(batches, data.train.ahead(iter(batches)), strict=True):
            assert torch.equal(x, batch[0])
            assert half == 0.5
            for index in (x, u, u[:2]):
                assert torch.equal(data.train.plain(index), still.train.plain(index))
        for rows in data.test.ahead(slice(s, s + 5) for s in range(0, 12, 5)):
            assert torch.equal(data.test.plain(rows), still.test.plain(rows))


def test_the_global_generator_is_left_alone(tree):
    torch.manual_seed(3)
    before = torch.get_rng_state()
    data = prepared(tree, False)
    list(data.train.ahead([slice(0, 4)]))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("announced", [True, False])
def test_a_corrupt_image_ends_the_trial_with_a_sentence(tmp_path, announced):
    tree = write_tree(tmp_path / "t")
    data = prepared(tree, False, validation_fraction=0)
    (tree / "train" / "b" / "3.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"^\S*/train/b/3\.png [^\n]*$"):
        list(data.train.ahead([slice(0, 8), slice(8, 16)])) if announced else data.train.plain(
            slice(0, 16)
        )


def test_a_corrupt_image_is_found_at_once_where_all_are_decoded(tmp_path):
    tree = write_tree(tmp_path / "t")
    (tree / "test" / "b" / "3.png").write_bytes(b"no")
    with pytest.raises(DataError, match=r"/test/b/3\.png "):
        prepared(tree, True)


def test_instance_noise_needs_all_images_at_once(tree):
    data = ImageFolder(path="t")
    machines = {wish: Machine(study_dir=tree.parent, resident=wish) for wish in (True, False)}
    arrays = load(data, machines[True])
    noise = InstanceNoise(rate=0.5)
    assert 0 < prepare(arrays, data, noise, Streams(0), CPU, machines[True]).noise_rate < 1
    with pytest.raises(DataError, match=r"^noise\.name: instance .*run\.resident: true"):
        prepare(arrays, data, noise, Streams(0), CPU, machines[False])


def test_auto_means_resident_if_a_quarter_of_the_memory_is_enough(tree, monkeypatch):
    files = [load(ImageFolder(path="t"), Machine(study_dir=tree.parent)).train.images]
    assert resident(files, "auto", CPU)
    assert not resident(files, False, CPU)
    bytes_ = 40 * 12 * 12 * 3
    memory = {"SC_PHYS_PAGES": 4, "SC_PAGE_SIZE": bytes_ - 1}
    monkeypatch.setattr("os.sysconf", memory.__getitem__)
    assert not resident(files, "auto", CPU)
    assert resident(files, True, CPU)


def rows_of(tree, wish, method, **data):
    config = TrialConfig.model_validate(
        {
            "data": {"name": "image_folder", "path": "t", "crop_padding": 1, **data},
            "noise": {"name": "symmetric", "rate": 0.4},
            "model": {"name": "small_cnn", "width": 4},
            "train": {"epochs": 2, "batch_size": 8},
            "method": method,
        }
    )
    trial = Trial(config, Machine(study_dir=tree.parent, resident=wish, device="cpu"))
    rows = [
        {name: value for name, value in row.items() if not name.startswith("time/")}
        for row in trial
    ]
    return rows, trial.method.records


def test_streamed_and_resident_images_give_the_same_division_and_rows(tree):
    method = {"name": "dividemix", "warmup_epochs": 1}
    (rows, records), (streamed_rows, streamed) = (
        rows_of(tree, wish, method) for wish in (True, False)
    )
    assert rows == streamed_rows
    for epoch, record in records.items():
        for name, values in record.items():
            assert np.array_equal(values, streamed[epoch][name]), (epoch, name)


def test_rows_without_known_labels_leave_out_what_needs_them(tree):
    method = {"name": "dividemix", "warmup_epochs": 1}
    rows, _ = rows_of(tree, True, method, labels_are_true=False)
    known, _ = rows_of(tree, True, method)
    absent = set(known[-1]) - set(rows[-1])
    measured = {
        f"division/{name}_net{k}"
        for name in ("auc", "precision", "recall", "residual_noise")
        for k in (0, 1)
    }
    assert measured & absent
    assert absent <= measured | {"train/accuracy_true", "guess/accuracy"}
    assert {"train/accuracy_true", "guess/accuracy"} <= absent
    assert {"train/accuracy_given", "division/labeled_fraction_net0", "test/accuracy"} <= set(
        rows[-1]
    )


def test_an_epoch_may_see_a_balanced_part_of_the_samples(tree):
    data = dataclasses.replace(prepared(tree, False), epoch_batches=3)
    rows = data.epoch_rows(np.random.default_rng(0), 4)
    assert len(rows) == len(set(rows.tolist())) == 12
    part = data.chosen(rows)
    assert torch.bincount(part.given).tolist() == [6, 6]
    assert torch.equal(part.plain(torch.arange(12)), data.train.plain(torch.from_numpy(rows)))
    assert not np.array_equal(rows, data.epoch_rows(np.random.default_rng(1), 4))
    assert prepared(tree, True).epoch_rows(np.random.default_rng(0), 4) is None


def test_folds_are_the_same_of_streamed_and_of_resident_images(tree):
    first, second = (prepared(tree, wish, folds=3, fold=1) for wish in (True, False))
    assert 13 <= len(first.validation) <= 14
    assert first.validation.source_index.tolist() == second.validation.source_index.tolist()
    assert first.noise_hash == second.noise_hash
