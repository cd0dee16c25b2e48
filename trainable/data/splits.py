"""Split into training and validation set, and the given labels of both."""

import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from trainable.config.data import FileNoise, ImageData, InstanceNoise, Noise
from trainable.data.arrays import Arrays, Split
from trainable.data.folds import folds
from trainable.data.images import Files
from trainable.data.noise import corrupt
from trainable.data.noise_files import read_labels
from trainable.errors import DataError
from trainable.random_streams import Streams


@dataclass(frozen=True)
class Part:
    """Samples of a split: their rows, and a given label for every row of the split.

    Attributes:
        rows: (m,) rows in the split.
        given: (len(split),) given labels.
    """

    split: Split
    rows: np.ndarray
    given: np.ndarray

    @property
    def wrong(self) -> np.ndarray:
        """Whether the given label of each sample differs from the true one, (len(rows),) bool."""
        wrong: np.ndarray = self.given[self.rows] != self.split.labels[self.rows]
        return wrong


@dataclass(frozen=True)
class Parts:
    """Training and validation set of one trial, with given labels."""

    train: Part
    validation: Part | None

    @property
    def hash(self) -> str:
        """16 hex digits, a hash of the given labels and the rows of the training set."""
        digest = hashlib.sha256(np.ascontiguousarray(self.train.given).data)
        digest.update(np.ascontiguousarray(self.train.rows).data)
        return digest.hexdigest()[:16]


def divide(
    arrays: Arrays,
    data: ImageData,
    noise: Noise,
    streams: Streams,
    folder: Path,
    contents: np.ndarray | None = None,
) -> Parts:
    """Add label noise and hold out the validation set.

    Rows of the training set that are the test set are in neither part.
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
    learned = arrays.trained
    own = arrays.validation if data.folds is None else None
    clean = data.clean_validation
    rng = streams.numpy("noise")
    noisy = partial(_noisy, arrays=arrays, noise=noise, rng=rng, streams=streams, folder=folder)
    if data.folds is not None:
        assert contents is not None, "folds need the contents of images"
        given = noisy(train, learned)
        fold_of = folds(given[learned], contents[learned], data.folds, streams.numpy("folds"))
        rows, held = learned[fold_of != data.fold], learned[fold_of == data.fold]
    else:
        count = 0 if own is not None else round(data.validation_fraction * len(learned))
        shuffled = learned[streams.numpy("validation").permutation(len(learned))]
        rows, held = np.sort(shuffled[count:]), np.sort(shuffled[:count])
        given = noisy(train, rows if clean else learned)
    if len(rows) < 2:
        raise DataError(
            f"{len(rows)} training images are left after the validation split; at least 2 are "
            "needed"
        )

    if arrays.held_out is not None:
        given[arrays.held_out] = train.start[arrays.held_out]
    part = Part(train, rows, given)
    if own is None:
        validation = Part(train, held, given) if len(held) else None
    elif clean or isinstance(noise, FileNoise):
        validation = Part(own, np.arange(len(own)), own.labels if clean else own.start)
    else:
        every = np.arange(len(own))
        validation = Part(own, every, noisy(own, every))
    if clean and validation is not None and (validation.split.labels[validation.rows] < 0).any():
        raise DataError(
            "data.clean_validation: true needs true labels, and those of this validation set are "
            "unknown. Use false"
        )
    return Parts(part, validation)


def _noisy(
    split: Split,
    rows: np.ndarray,
    arrays: Arrays,
    noise: Noise,
    rng: np.random.Generator,
    streams: Streams,
    folder: Path,
) -> np.ndarray:
    """Return a given label for every row of the split: noisy at `rows`, true elsewhere."""
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
            return given
        case InstanceNoise():
            images = (
                split.images.load(rows) if isinstance(split.images, Files) else split.images[rows]
            )
            # The stream starts at its beginning for every set, so their noise is the same.
            projections = streams.numpy("projections")
    given[rows] = corrupt(before, arrays.classes, noise, rng, images, projections)
    return given
