"""A data set as read: images, labels, statistics."""

import dataclasses
import hashlib
from dataclasses import dataclass, field

import numpy as np

from trainable.data.images import Files

MEASURED_FILES = 512


@dataclass(frozen=True)
class Split:
    """Images and their labels.

    Attributes:
        images: (n, h, w, channels) uint8, or files of them.
        labels: (n,) int64, the true classes; −1 where nobody knows them.
        given: (n,) int64, noisy labels that the data set has of its own; None: its labels are the
            true ones.
        names: (n,) file names as bytes, for images that come from files.
    """

    images: np.ndarray | Files
    labels: np.ndarray
    given: np.ndarray | None = None
    names: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def start(self) -> np.ndarray:
        """The labels before noise is put on them."""
        return self.labels if self.given is None else self.given

    def untrusted(self) -> "Split":
        """The same split, where nobody knows which labels are right."""
        return dataclasses.replace(self, labels=np.full(len(self), -1), given=self.start)


@dataclass(frozen=True)
class Arrays:
    """A data set. `mean` and `std` are per channel, of pixels in [0, 1]."""

    train: Split
    validation: Split | None
    test: Split
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    class_names: tuple[str, ...] = ()
    more_tests: dict[str, Split] = field(default_factory=dict)
    """Further test sets by the name that their metrics begin with."""

    @property
    def hash(self) -> str:
        """16 hex digits over all images and labels (of image files: their names and sizes)."""
        digest = hashlib.sha256()
        for split in (self.train, self.validation, self.test, *self.more_tests.values()):
            if split is None:
                continue
            if isinstance(split.images, Files):
                digest.update(split.images.hash.encode())
            for array in (split.images, split.labels, split.given):
                if isinstance(array, np.ndarray):
                    digest.update(str(array.shape).encode())
                    digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:16]


def measured(
    train: Split,
    validation: Split | None,
    test: Split,
    classes: int,
    class_names: tuple[str, ...] = (),
) -> Arrays:
    """Arrays normalised by the mean and standard deviation of their own training images.

    Of files, every n-th is measured, so that at most 512 are decoded. Raises DataError if one is
    bad.
    """
    images = train.images
    if isinstance(images, Files):
        images = images.load(np.arange(0, len(images), -(-len(images) // MEASURED_FILES)))
    histogram = np.stack(
        [np.bincount(images[..., c].ravel(), minlength=256) for c in range(images.shape[3])]
    )
    share, level = histogram / histogram.sum(1, keepdims=True), np.arange(256) / 255
    mean = share @ level
    std = np.sqrt(share @ level**2 - mean**2)
    lowest = np.maximum(std, 1e-3)
    return Arrays(
        train, validation, test, classes, tuple(mean.tolist()), tuple(lowest.tolist()), class_names
    )
