"""The test set of a user's own data, held out if there is none, and which labels are true."""

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from trainable.config.data import OwnData
from trainable.config.embeddings import Embeddings
from trainable.config.test_set import OwnTestSet, TestLabels
from trainable.data.arrays import Split
from trainable.data.images import digest
from trainable.errors import DataError

USEFUL = 385
"""Number of test images with which an accuracy is known to ±5 points at worst."""


def held_out(labels: np.ndarray, contents: np.ndarray, fraction: float) -> np.ndarray:
    """Draw the rows (m,) of a test set, sorted: that share of each class, rounded.

    Images with equal content are all drawn or none of them. Each class keeps an image for training.
    The draw depends on the data alone, so every seed of a study has the same test set.

    Args:
        labels: (n,) classes.
        contents: (n,) numbers that are equal where images are.
        fraction: share of the images, 0 to 1.

    Raises:
        DataError: no image can be held out.
    """
    counts = np.bincount(labels)
    wanted = np.round(fraction * counts).astype(int)
    left = counts.tolist()
    label_of = labels.tolist()
    _, group_of = np.unique(contents, return_inverse=True)
    order = np.argsort(group_of, kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(group_of))[:-1])
    drawn: list[int] = []
    for number in np.random.default_rng(0).permutation(len(groups)):
        copies = groups[number].tolist()
        sizes = Counter(label_of[row] for row in copies)
        if all(size <= wanted[label] and size < left[label] for label, size in sizes.items()):
            drawn += copies
            for label, size in sizes.items():
                wanted[label] -= size
                left[label] -= size
    if not drawn:
        raise DataError(
            f"no test image can be held out: data.test_fraction is {fraction:g}, and the largest "
            f"of {len(counts)} classes has {counts.max()} images. Increase it, or add a test set"
        )
    return np.sort(np.array(drawn))


def contents_of(images: Iterable[np.ndarray]) -> np.ndarray:
    """Return numbers (n,) that are equal where the pixels of images are."""
    return np.array([digest(image.tobytes()) for image in images], np.uint64)


def check_not_training(
    test: np.ndarray, train: np.ndarray, name: str, unit: str = "images"
) -> None:
    """Raise DataError if at least half of the test images are training images.

    Args:
        test, train: (m,) and (n,) numbers that are equal where images are.
        name: name of the data in the message.
        unit: what a sample is in the message.
    """
    same = int(np.isin(test, train).sum())
    if 2 * same >= len(test):
        refuse_copies(same, len(test), name, unit)


def refuse_copies(same: int, count: int, name: str, unit: str = "images") -> NoReturn:
    """Raise DataError because `same` of `count` test images are training images."""
    raise DataError(
        f"{name}: {same} of {count} test {unit} are training {unit}, so they test nothing. Remove "
        f"them from one of the two, or remove the test set: a part of the training {unit} is then "
        "held out"
    )


@dataclass(frozen=True)
class Tested:
    """The test set of a user's own data, before it is read.

    Attributes:
        has_test: whether the data have a test set; else a part of the training images is held out.
        count: number of test images; of a part that is held out, about.
        labels: whether their labels are trusted or unchecked.
        unit: what a sample is in sentences.
    """

    has_test: bool
    count: int
    labels: TestLabels
    unit: str = "images"

    def __str__(self) -> str:
        """Write `test set: 40 images, labels trusted`."""
        if self.has_test:
            return f"test set: {self.count} {self.unit}, labels {self.labels}"
        return (
            f"no test set: about {self.count} of the training {self.unit} are held out, with "
            f"labels {self.labels}"
        )


def too_small(count: int, unit: str = "images") -> str | None:
    """Return a sentence if `count` test images tell an accuracy to few points only, else None."""
    if count >= USEFUL:
        return None
    here = 100 * half_width(count)
    useful = 100 * half_width(USEFUL)
    return (
        f"{count} test {unit}: an accuracy is known to ±{here:.1f} points at worst (95 %); "
        f"{USEFUL} {unit} give ±{useful:.0f}"
    )


def half_width(count: int) -> float:
    """Return half the width of a 95 % interval of a share of `count` images, at a share of 1/2."""
    return 1.96 * math.sqrt(0.25 / max(count, 1))


def trust_in_test(data: OwnTestSet, has_test: bool, true_known: bool) -> TestLabels:
    """Return whether test labels are trusted: as the study says, or else by where they are from.

    Args:
        data: fields of the data set.
        has_test: whether the data have a test set.
        true_known: whether the data have the true labels in addition to noisy ones.
    """
    if data.test_labels is not None:
        return data.test_labels
    return "trusted" if has_test or true_known else "unchecked"


def as_declared(
    train: Split, validation: Split | None, data: OwnData | Embeddings, true_labels: str = ""
) -> tuple[Split, Split | None]:
    """Return training and validation set, with unknown true labels if `labels_are_true` is false.

    Args:
        train: training set.
        validation: validation set; it keeps its labels as true ones with `clean_validation`.
        data: fields of the data set.
        true_labels: start of the message if the data have true labels in addition to given ones.

    Raises:
        DataError: true labels are declared unknown, and the data have them.
    """
    if data.labels_are_true:
        return train, validation
    if train.given is not None:
        raise DataError(f"{true_labels}. Remove data.labels_are_true: false")
    if validation is not None and not data.clean_validation:
        validation = validation.untrusted()
    return train.untrusted(), validation
