"""Split into training and validation set, and the given labels of both."""

import dataclasses
import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from trainable.config.annotators import AnnotatorNoise
from trainable.config.data import CorruptedNoise, FileNoise, InstanceNoise, Noise
from trainable.config.data_fields import DataFields
from trainable.data.annotator_files import read_ratings
from trainable.data.arrays import Arrays, Split
from trainable.data.class_imbalance import long_tailed
from trainable.data.corrupted_noise import CleanImages, Corrupted, corrupt_images
from trainable.data.folds import folds
from trainable.data.noise import corrupt
from trainable.data.noise_files import read_labels
from trainable.data.ratings import NONE, Ratings, simulated
from trainable.errors import DataError
from trainable.random_streams import Streams


@dataclass(frozen=True)
class Part:
    """Samples of a split: their rows, and a given label for every row of the split.

    Attributes:
        rows: (m,) rows in the split.
        given: (len(split),) given labels.
        corrupted: images that replace those of the split; None: there are none.
        ratings: labels of annotators for every row of the split; None: there are none.
    """

    split: Split
    rows: np.ndarray
    given: np.ndarray
    corrupted: Corrupted | None = None
    ratings: Ratings | None = None

    @property
    def wrong(self) -> np.ndarray:
        """Whether the given label of each sample differs from the true one, (len(rows),) bool."""
        wrong: np.ndarray = self.given[self.rows] != self.split.labels[self.rows]
        return wrong

    def images(self) -> np.ndarray:
        """Return the images as networks see them, uint8 (len(rows), height, width, channels).

        The split must have its images in memory.
        """
        assert isinstance(self.split.images, np.ndarray)
        images: np.ndarray = self.split.images[self.rows]
        if self.corrupted is not None:
            self.corrupted.put_into(images, self.rows)
        return images


@dataclass(frozen=True)
class Parts:
    """Training and validation set of one trial, with given labels."""

    train: Part
    validation: Part | None

    @property
    def hash(self) -> str:
        """16 hex digits, a hash of the training set's given labels, rows and corrupted images."""
        digest = hashlib.sha256(np.ascontiguousarray(self.train.given).data)
        digest.update(np.ascontiguousarray(self.train.rows).data)
        if self.train.corrupted is not None:
            digest.update(np.ascontiguousarray(self.train.corrupted.images).data)
        return digest.hexdigest()[:16]


def divide(
    arrays: Arrays,
    data: DataFields,
    noise: Noise,
    streams: Streams,
    folder: Path,
    contents: np.ndarray | None = None,
) -> Parts:
    """Add label noise and hold out the validation set.

    Rows of the training set that are the test set are in neither part, nor are those that
    `data.imbalance` leaves out.
    Noise is added before the split, so a sample's label does not depend on `validation_fraction`.
    With `clean_validation` it is added after the split, to the training set only. The data set's
    own validation set gets the same noise, or none with `clean_validation`. With `folds` the
    validation set is one of them, and the given labels do not depend on which one.

    Args:
        arrays: the data set as it is read.
        data: fields of the data set.
        noise: the noise model.
        streams: random streams of the trial.
        folder: where relative paths of noise files start.
        contents: (n,) numbers that are equal where training images are; needed with `folds`.

    Raises:
        DataError: too few samples remain, or required true labels are unknown.
    """
    train = arrays.train
    own = arrays.validation if data.folds is None else None
    clean = data.clean_validation
    rng = streams.numpy("noise")
    noisy = partial(_noisy, arrays=arrays, noise=noise, rng=rng, streams=streams, folder=folder)
    learned = _long_tailed(train, arrays.trained, arrays, data, streams)
    rows = learned
    held = np.arange(0)
    if data.folds is not None:
        assert contents is not None, "folds need the contents of images"
        whole = noisy(train, learned)
        drawn = streams.numpy("folds")
        fold_of = folds(whole.given[learned], contents[learned], data.folds, drawn)
        rows = learned[fold_of != data.fold]
        held = learned[fold_of == data.fold]
    else:
        if own is None and (count := round(data.validation_fraction * len(learned))):
            shuffled = learned[streams.numpy("validation").permutation(len(learned))]
            rows = np.sort(shuffled[count:])
            held = np.sort(shuffled[:count])
        whole = noisy(train, rows if clean else learned)
    if len(rows) < 2:
        raise DataError(
            f"{len(rows)} training images are left after the validation split; at least 2 are "
            "needed"
        )

    if arrays.held_out is not None:
        whole.given[arrays.held_out] = train.start[arrays.held_out]
    part = dataclasses.replace(whole, rows=rows)
    if own is None:
        validation = dataclasses.replace(whole, rows=held) if len(held) else None
    else:
        every = _long_tailed(own, np.arange(len(own)), arrays, data, streams)
        if clean or _only_training(noise):
            validation = Part(own, every, own.labels if clean else own.start)
        else:
            validation = noisy(own, every)
    if clean and validation is not None and (validation.split.labels[validation.rows] < 0).any():
        raise DataError(
            "data.clean_validation: true needs true labels, and those of this validation set are "
            "unknown. Use false"
        )
    return Parts(part, validation)


def _long_tailed(
    split: Split, rows: np.ndarray, arrays: Arrays, data: DataFields, streams: Streams
) -> np.ndarray:
    """Return those of `rows` (m,) of a split that `data.imbalance` keeps, by their true labels.

    Where these are unknown, the given labels count.
    """
    if data.imbalance == 1:
        return rows
    labels = split.labels if (split.labels >= 0).all() else split.start
    drawn = streams.numpy("imbalance")
    kept: np.ndarray = rows[long_tailed(labels[rows], arrays.classes, data.imbalance, drawn)]
    return kept


def _only_training(noise: Noise) -> bool:
    """Return whether the labels are known for the training images alone."""
    if isinstance(noise, AnnotatorNoise):
        return noise.skills is None
    return isinstance(noise, FileNoise)


def _noisy(
    split: Split,
    rows: np.ndarray,
    arrays: Arrays,
    noise: Noise,
    rng: np.random.Generator,
    streams: Streams,
    folder: Path,
) -> Part:
    """Return the samples at `rows` (m,) with noisy labels; other rows have their true ones."""
    given = split.labels.copy()
    before = split.start[rows]
    images = None
    projections = None
    match noise:
        case FileNoise():
            labels = read_labels(
                folder / noise.path, split, arrays.classes, arrays.class_names, noise.labels_hash
            )
            given[rows] = labels[rows]
            return Part(split, rows, given)
        case CorruptedNoise():
            # The stream starts at its beginning for every set: all are compared with the same.
            drawn = streams.numpy("clean_images")
            clean = CleanImages.of(arrays.train, arrays.trained, arrays.classes, drawn)
            corrupted = corrupt_images(split, rows, noise, clean, rng)
            given[rows] = before
            given[corrupted.rows] = corrupted.labels
            return Part(split, rows, given, corrupted)
        case AnnotatorNoise():
            ratings = _ratings(split, rows, arrays, noise, rng, folder)
            given[rows] = ratings.only(rows).chosen(noise.choice, rng)
            return Part(split, rows, given, ratings=ratings)
        case InstanceNoise():
            images = (
                split.images[rows]
                if isinstance(split.images, np.ndarray)
                else split.images.load(rows)
            )
            # The stream starts at its beginning for every set, so their noise is the same.
            projections = streams.numpy("projections")
    given[rows] = corrupt(before, arrays.classes, noise, rng, images, projections)
    return Part(split, rows, given)


def _ratings(
    split: Split,
    rows: np.ndarray,
    arrays: Arrays,
    noise: AnnotatorNoise,
    rng: np.random.Generator,
    folder: Path,
) -> Ratings:
    """Return the labels of the annotators for every row of a split.

    Raises:
        DataError: there are none, or an image at `rows` has none.
    """
    if noise.skills is not None:
        return simulated(split.labels, arrays.classes, noise.skills, rng)
    if noise.path is not None:
        path = folder / noise.path
        ratings = read_ratings(path, split, arrays.classes, arrays.class_names, noise.labels_hash)
    elif split.ratings is not None:
        ratings = split.ratings
    else:
        raise DataError(
            "noise.name: annotators: these data have no labels of annotators. Name a file with "
            "noise.path, or simulate annotators with noise.skills"
        )
    unlabeled = rows[(ratings.labels[rows] == NONE).all(1)]
    if len(unlabeled):
        raise DataError(
            f"noise.name: annotators: {len(unlabeled)} of {len(rows)} training images have no "
            f"label of any annotator; the first one is {split.name(unlabeled[0])}"
        )
    return ratings
