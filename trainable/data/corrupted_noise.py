"""Label noise by corrupted images: each gets the label of another class that it resembles.

The idea is that of CILN (arXiv 2606.14965), where classifiers trained on clean images label the
corrupted ones. Here the most similar clean image does, which needs no training.
"""

from dataclasses import dataclass

import numpy as np

from trainable.config.data import CorruptedNoise
from trainable.data.arrays import Split
from trainable.data.corruptions import corrupted
from trainable.errors import DataError

COMPARED = 2000
"""Maximum number of clean images with which a corrupted one is compared, over all classes."""
SIDE = 32
"""Maximum side of images in the comparison, pixels; larger ones are sampled at equal steps."""
AT_ONCE = 1000
"""Number of corrupted images that are compared at once."""


@dataclass(frozen=True)
class Corrupted:
    """Images that replace those of a split, with the labels that they get.

    Attributes:
        rows: (m,) their rows in the split.
        images: (m, height, width, channels) uint8.
        labels: (m,) classes, other than those before.
    """

    rows: np.ndarray
    images: np.ndarray
    labels: np.ndarray

    def put_into(self, images: np.ndarray, rows: np.ndarray) -> None:
        """Replace what is corrupted in `images` (k, …), which are at `rows` (k,) of the split."""
        _, theirs, own = np.intersect1d(rows, self.rows, assume_unique=True, return_indices=True)
        images[theirs] = self.images[own]


@dataclass(frozen=True)
class CleanImages:
    """Clean images that corrupted ones are compared with.

    Attributes:
        deviations: (r, pixels) float64, see `deviations`.
        labels: (r,) classes.
    """

    deviations: np.ndarray
    labels: np.ndarray

    @classmethod
    def of(
        cls, split: Split, rows: np.ndarray, classes: int, rng: np.random.Generator
    ) -> "CleanImages":
        """Draw the clean images from `rows` of a split: equally many of each class if there are."""
        each = max(1, COMPARED // classes)
        shuffled = rng.permutation(rows)
        labels = split.start[shuffled]
        drawn = [shuffled[labels == label][:each] for label in range(classes)]
        chosen = np.concatenate(drawn)
        return cls(deviations(_pixels(split, chosen)), split.start[chosen])

    def most_similar(
        self, images: np.ndarray, labels: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Return the class (n,) of the clean image of another class that is most like each image.

        Likeness is the correlation of the pixels. A uniform image, which is like none, gets the
        class of a random one.

        Args:
            images: (n, height, width, channels) uint8.
            labels: (n,) classes that are excluded.
            rng: generator for uniform images.
        """
        norms = np.sqrt((self.deviations**2).sum(1)).clip(1)
        found = np.empty_like(labels)
        for start in range(0, len(images), AT_ONCE):
            part = slice(start, start + AT_ONCE)
            seen = deviations(images[part])
            likeness = seen @ self.deviations.T / norms
            uniform = ~seen.any(1)
            likeness[uniform] = rng.random((uniform.sum(), len(self.labels)))
            likeness[labels[part, None] == self.labels] = -np.inf
            found[part] = self.labels[likeness.argmax(1)]
        return found


def deviations(images: np.ndarray) -> np.ndarray:
    """Return the deviations of pixels from the mean of their image, times the number of pixels.

    They are whole numbers, and so are their products, which stay below 2⁵³: all sums are exact, and
    every machine finds the same most similar image.

    Args:
        images: (n, height, width, channels) uint8.

    Returns:
        (n, pixels) float64.
    """
    step = -(-max(images.shape[1:3]) // SIDE)
    sampled = images[:, ::step, ::step].reshape(len(images), -1).astype(np.float64)
    found: np.ndarray = sampled * sampled.shape[1] - sampled.sum(1, keepdims=True)
    return found


def corrupt_images(
    split: Split,
    rows: np.ndarray,
    noise: CorruptedNoise,
    clean: CleanImages,
    rng: np.random.Generator,
) -> Corrupted:
    """Corrupt int(rate·n) of the images at `rows` (n,) of a split, and label them.

    Raises:
        DataError: all images have one class.
    """
    if len(np.unique(clean.labels)) < 2:
        raise DataError("noise.name: corrupted needs training images of at least two classes")
    # With the small term, int(0.29 * 100) is 29; the product alone is 28.999….
    chosen = np.sort(rng.permutation(rows)[: int(noise.rate * len(rows) + 1e-9)])
    images = corrupted(_pixels(split, chosen), noise.corruptions, rng)
    labels = clean.most_similar(images, split.start[chosen], rng)
    return Corrupted(chosen, images, labels)


def _pixels(split: Split, rows: np.ndarray) -> np.ndarray:
    """Return the images at `rows` (m,), uint8 (m, height, width, channels)."""
    if isinstance(split.images, np.ndarray):
        return np.asarray(split.images[rows])
    return split.images.load(rows)
