"""A data set as it is read: images, labels, statistics."""

import dataclasses
import hashlib
from dataclasses import dataclass, field

import numpy as np

from trainable.config.test_set import TestLabels
from trainable.data.features import Features
from trainable.data.images import Files
from trainable.data.ratings import Ratings

MEASURED_FILES = 512
"""Maximum number of image files from which mean and standard deviation are computed."""


@dataclass(frozen=True)
class Split:
    """Images and their labels.

    Attributes:
        images: (n, h, w, channels) uint8, image files, or feature vectors.
        labels: (n,) int64, the true classes; −1: unknown.
        given: (n,) int64, the data set's own noisy labels; None: its labels are the true ones.
        names: (n,) file names as bytes; None: images are not files.
        ratings: labels by several annotators; None: there are none.
    """

    images: np.ndarray | Files | Features
    labels: np.ndarray
    given: np.ndarray | None = None
    names: np.ndarray | None = None
    ratings: Ratings | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def start(self) -> np.ndarray:
        """Labels (n,) before noise is added."""
        return self.labels if self.given is None else self.given

    def name(self, row: int) -> str:
        """Return the name of an image's file, or its row."""
        if self.names is None:
            return f"row {row}"
        return str(self.names[row].decode(errors="backslashreplace"))

    def only(self, rows: np.ndarray) -> "Split":
        """Return the samples at `rows` (m,) by their true labels, or the given where unknown."""
        images = self.images
        return Split(
            images[rows] if isinstance(images, np.ndarray) else images.only(rows),
            np.where(self.labels < 0, self.start, self.labels)[rows],
            None,
            None if self.names is None else self.names[rows],
        )

    def untrusted(self) -> "Split":
        """Return the same split with unknown true labels."""
        return dataclasses.replace(self, labels=np.full(len(self), -1), given=self.start)


@dataclass(frozen=True)
class Arrays:
    """A data set; `mean` and `std` are per channel, of pixels in [0, 1], or per feature."""

    train: Split
    validation: Split | None
    test: Split
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_names: tuple[str, ...] = ()
    more_tests: dict[str, Split] = field(default_factory=dict)
    """Further test sets, by the prefix of their metrics."""
    notes: tuple[str, ...] = ()
    """Sentences about files that are not read."""
    skipped_images: int = 0
    """Number of image files that are left out, because they cannot be decoded."""
    held_out: np.ndarray | None = None
    """Rows (m,) of `train` that are the test set and are not trained on; None: the data have a test
    set of their own."""
    test_labels: TestLabels = "trusted"
    """Whether the labels of the test set are known to be right (`trusted`)."""

    @property
    def trained(self) -> np.ndarray:
        """Rows of `train` that are not held out as the test set."""
        return kept(len(self.train), self.held_out)

    @property
    def hash(self) -> str:
        """16 hex digits, a hash of all images and labels (of image files: names and sizes)."""
        digest = hashlib.sha256()
        for split in (self.train, self.validation, self.test, *self.more_tests.values()):
            if split is None:
                continue
            if not isinstance(split.images, np.ndarray):
                digest.update(split.images.hash.encode())
            for array in (split.images, split.labels, split.given):
                if isinstance(array, np.ndarray):
                    digest.update(str(array.shape).encode())
                    digest.update(np.ascontiguousarray(array).data)
            if split.ratings is not None:
                digest.update(np.ascontiguousarray(split.ratings.labels).data)
        return digest.hexdigest()[:16]


def measured(
    train: Split,
    validation: Split | None,
    test: Split,
    classes: int,
    class_names: tuple[str, ...] = (),
    held_out: np.ndarray | None = None,
) -> Arrays:
    """Build arrays with the mean and standard deviation of their own training images.

    `held_out` are the rows of `train` that are the test set. For image files, both are computed
    from every k-th file, at most 512 in all.

    Raises:
        DataError: one of these files is not a valid image.
    """
    images = train.images
    assert not isinstance(images, Features)
    rows = kept(len(train), held_out)
    if isinstance(images, Files):
        images = images.load(rows[:: -(-len(rows) // MEASURED_FILES)])
    elif held_out is not None:
        images = images[rows]
    histogram = np.stack(
        [np.bincount(images[..., c].ravel(), minlength=256) for c in range(images.shape[3])]
    )
    share = histogram / histogram.sum(1, keepdims=True)
    level = np.arange(256) / 255
    mean = share @ level
    std = np.sqrt(share @ level**2 - mean**2)
    lowest = np.maximum(std, 1e-3)
    return Arrays(
        train,
        validation,
        test,
        classes,
        tuple(mean.tolist()),
        tuple(lowest.tolist()),
        class_names,
        held_out=held_out,
    )


def kept(count: int, held_out: np.ndarray | None) -> np.ndarray:
    """Return the rows from 0 to `count` that are not held out."""
    rows = np.arange(count)
    return rows if held_out is None else np.delete(rows, held_out)
