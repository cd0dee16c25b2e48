"""Who is held out, and where the noise goes."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from tests.trainable.data.test_prepare import made_up
from trainable.config.data import (
    AsymmetricNoise,
    FileNoise,
    ImageData,
    InstanceNoise,
    NoNoise,
    SymmetricNoise,
)
from trainable.data.arrays import Arrays
from trainable.data.splits import Parts, divide
from trainable.errors import DataError
from trainable.random_streams import Streams

NOISE = SymmetricNoise(rate=1.0, include_true=False)


def divided(arrays: Arrays, noise=NOISE, folder: Path = Path(), seed: int = 0, **fields) -> Parts:
    return divide(arrays, ImageData(**fields), noise, Streams(seed), folder)


def test_the_default_puts_noise_on_training_and_validation_alike():
    parts = divided(made_up(), validation_fraction=0.25)
    assert parts.train.wrong.all()
    assert parts.validation.wrong.all()


def test_clean_validation_puts_the_noise_on_the_training_part_only():
    parts = divided(made_up(), validation_fraction=0.25, clean_validation=True)
    assert parts.train.wrong.all()
    assert (len(parts.train.rows), len(parts.validation.rows)) == (30, 10)
    assert not parts.validation.wrong.any()


def test_clean_validation_holds_out_the_same_samples():
    clean, noisy = (
        divided(made_up(), validation_fraction=0.25, clean_validation=c) for c in (True, False)
    )
    assert np.array_equal(clean.validation.rows, noisy.validation.rows)
    assert clean.hash != noisy.hash


def test_with_clean_validation_the_exact_count_is_of_the_training_part():
    noise = AsymmetricNoise(rate=0.5, map=[1, 2, 3, 0])
    assert (
        divided(made_up(), noise, validation_fraction=0.25, clean_validation=True).train.wrong.sum()
        == 15
    )


@pytest.mark.parametrize("clean", [False, True])
def test_a_validation_set_of_its_own_is_noisy_or_clean(clean):
    parts = divided(made_up(validation=12), clean_validation=clean)
    assert parts.validation.wrong.all() != clean
    assert parts.validation.wrong.any() != clean
    assert parts.train.wrong.all()


def with_given(known: bool = True) -> Arrays:
    """A data set whose labels are all wrong already; the right ones may be unknown."""
    arrays = made_up()
    train = dataclasses.replace(arrays.train, given=(arrays.train.labels + 1) % 4)
    return dataclasses.replace(arrays, train=train if known else train.untrusted())


def test_noisy_labels_of_the_data_set_are_the_given_ones():
    parts = divided(with_given(), NoNoise(), validation_fraction=0.25)
    assert parts.train.wrong.all()
    assert parts.validation.wrong.all()


def test_noise_comes_on_top_of_noisy_labels():
    noise = AsymmetricNoise(rate=1.0, map=[3, 0, 1, 2])  # back again
    assert not divided(with_given(), noise).train.wrong.any()


def test_clean_validation_of_noisy_labels_needs_the_right_ones():
    assert not divided(
        with_given(), NoNoise(), validation_fraction=0.25, clean_validation=True
    ).validation.wrong.any()
    with pytest.raises(DataError, match=r"^data\.clean_validation: true "):
        divided(with_given(known=False), NoNoise(), validation_fraction=0.25, clean_validation=True)


def test_a_file_of_labels_is_in_the_folder_of_the_study(tmp_path):
    labels = (made_up().train.labels + 2) % 4
    np.save(tmp_path / "given.npy", labels)
    parts = divided(made_up(validation=5), FileNoise(path="given.npy"), tmp_path)
    assert np.array_equal(parts.train.given, labels)
    assert not parts.validation.wrong.any()  # the file knows nothing about them
    clean = divided(
        made_up(),
        FileNoise(path="given.npy"),
        tmp_path,
        validation_fraction=0.25,
        clean_validation=True,
    )
    assert clean.train.wrong.all()
    assert not clean.validation.wrong.any()


def test_a_validation_set_of_its_own_has_the_instance_noise_of_the_training_set():
    arrays, noise = made_up(3000, validation=3000), InstanceNoise(rate=0.5)
    same = dataclasses.replace(
        arrays.train, images=np.repeat(arrays.train.images[:1], 3000, axis=0)
    )
    arrays = dataclasses.replace(arrays, train=same, validation=dataclasses.replace(same))
    parts = divided(arrays, noise)
    assert not np.array_equal(parts.train.given, parts.validation.given), (
        "each sample draws for itself"
    )
    for true in range(
        4
    ):  # of equal images of a class, wrong labels go to one class, and to the same one
        there = [
            np.bincount(p.given[p.split.labels == true], minlength=4)
            for p in (parts.train, parts.validation)
        ]
        first, second = (np.delete(counts, true).argmax() for counts in there)
        assert first == second


def test_instance_noise_sees_the_images_of_the_rows_that_it_is_put_on():
    noise = InstanceNoise(rate=0.6)
    first, again = (
        divided(made_up(), noise, clean_validation=True, validation_fraction=0.25) for _ in range(2)
    )
    assert np.array_equal(first.train.given, again.train.given)
    assert 0 < first.train.wrong.mean() < 1


def in_folds(arrays: Arrays, noise=NOISE, **fields) -> list[Parts]:
    """The parts of each of four folds."""
    contents = np.arange(len(arrays.train), dtype=np.uint64)
    return [
        divide(arrays, ImageData(folds=4, fold=fold, **fields), noise, Streams(0), Path(), contents)
        for fold in range(4)
    ]


@pytest.mark.parametrize(
    "noise",
    [
        SymmetricNoise(rate=0.5),
        AsymmetricNoise(rate=0.5, map=[1, 2, 3, 0]),
        InstanceNoise(rate=0.5),
        NoNoise(),
    ],
)
def test_each_sample_is_held_out_once_and_has_one_label_in_all_folds(noise):
    found = in_folds(made_up(), noise)
    held = np.concatenate([parts.validation.rows for parts in found])
    assert sorted(held) == list(range(40))
    plain = divided(made_up(), noise).train.given
    for parts in found:
        assert sorted([*parts.train.rows, *parts.validation.rows]) == list(range(40))
        assert np.array_equal(parts.train.given, plain)
        assert np.array_equal(parts.validation.given, plain)
    assert len({parts.hash for parts in found}) == 4


def test_folds_are_even_in_given_labels():
    found = in_folds(made_up(), SymmetricNoise(rate=0.7))
    given = found[0].train.given
    for label in range(4):
        counts = [int((given[parts.validation.rows] == label).sum()) for parts in found]
        assert max(counts) - min(counts) <= 1


def test_with_folds_the_validation_set_is_one_of_them_whatever_else_there_is():
    found = in_folds(made_up(validation=12), validation_fraction=0.5)
    assert [len(parts.validation.rows) for parts in found] == [10, 10, 10, 10]
    assert found[0].validation.split is found[0].train.split


def test_a_held_out_test_set_is_in_no_fold():
    arrays = dataclasses.replace(made_up(), held_out=np.arange(0, 40, 5))
    found = in_folds(arrays)
    rows = np.concatenate([parts.validation.rows for parts in found])
    assert sorted(rows) == np.delete(np.arange(40), arrays.held_out).tolist()
