"""`.npz` files in the layout of MedMNIST."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from trainable.config.data import Npz
from trainable.data.annotator_files import from_array
from trainable.data.arrays import Arrays, Split, measured
from trainable.data.held_out import (
    Tested,
    as_declared,
    check_not_training,
    contents_of,
    held_out,
    trust_in_test,
)
from trainable.errors import DataError

ANNOTATORS = "train_annotators"
"""Array of labels by several annotators, (n, annotators); −1: no label."""


def load(path: Path, data: Npz) -> Arrays:
    """Read a file in the layout of MedMNIST.

    Raises:
        DataError: the file is not readable, or an array is missing or wrong.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            content = {name: np.asarray(file[name]) for name in file.files}
    except Exception as error:  # NumPy, zipfile and zlib raise many types for damaged files
        raise DataError(f"{path} is not a readable .npz file of plain arrays: {error}") from None
    train = _split(path, content, "train")
    splits = {"train": train}
    for name in ("val", "test"):
        if _has(content, name):
            splits[name] = _split(path, content, name)
    _check_sizes(path, splits)
    classes = _number_of_classes(path, train)
    _check_classes(path, splits, classes)
    if ANNOTATORS in content:
        where = f"{path}: {ANNOTATORS}"
        ratings = from_array(content[ANNOTATORS], len(train), classes, where)
        train = replace(train, ratings=ratings)
    validation = splits.get("val")
    pixels = contents_of(content["train_images"])
    held = None
    if "test" in splits:
        test = splits["test"]
        check_not_training(contents_of(content["test_images"]), pixels, str(path))
    else:
        held = held_out(train.labels, pixels, data.test_fraction)
        test = train.only(held)
    trust = trust_in_test(data, held is None, train.given is not None)
    true_labels = f"{path} has train_noisy_labels, so train_labels are the true labels"
    train, validation = as_declared(train, validation, data, true_labels)
    arrays = measured(train, validation, test, classes, held_out=held)
    return replace(arrays, test_labels=trust)


def tested(path: Path, data: Npz) -> Tested:
    """Return what the test set of a file is; no images are read.

    Raises:
        DataError: the file is not readable, or has no training labels.
    """
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            trained = len(file["train_labels"])
            count = len(file["test_labels"]) if "test_labels" in file.files else 0
            noisy = "train_noisy_labels" in file.files
    except Exception as error:  # NumPy, zipfile and zlib raise many types for damaged files
        raise DataError(f"{path} is not a readable .npz file of plain arrays: {error}") from None
    has_test = count > 0
    labels = trust_in_test(data, has_test, noisy)
    return Tested(has_test, count or round(data.test_fraction * trained), labels)


def _has(content: dict[str, np.ndarray], name: str) -> bool:
    """Return whether an array of a split exists and is not empty."""
    present = [content[key] for key in (f"{name}_images", f"{name}_labels") if key in content]
    return any(array.size for array in present)


def _check_sizes(path: Path, splits: dict[str, Split]) -> None:
    """Raise DataError if the splits have images of different sizes."""
    expected = _size(splits["train"])
    for name, split in splits.items():
        found = _size(split)
        if found != expected:
            raise DataError(
                f"{path}: {name}_images are {found} and train_images {expected}; all images must "
                "have the same size"
            )


def _size(split: Split) -> tuple[int, ...]:
    """Return (height, width, channels) of the images of a file."""
    assert isinstance(split.images, np.ndarray)
    return split.images.shape[1:]


def _number_of_classes(path: Path, train: Split) -> int:
    """Return the number of classes in the training labels.

    Raises:
        DataError: there is one class only, or a class has no image.
    """
    classes = int(train.labels.max()) + 1
    if classes > len(train):
        raise DataError(
            f"{path}: train_labels has class {classes - 1}, but only {len(train)} images; classes "
            "are numbered from 0 without gaps"
        )
    counts = np.bincount(train.labels, minlength=classes)
    if np.count_nonzero(counts) < 2:
        raise DataError(f"{path}: train_labels has one class only; at least two are needed")
    absent = np.flatnonzero(counts == 0).tolist()
    if absent:
        shown = ", ".join(map(str, absent[:5])) + (", …" if len(absent) > 5 else "")
        raise DataError(
            f"{path}: train_labels has no image of class {shown}, and class {classes - 1}; classes "
            "are numbered from 0 without gaps. Number them anew, in all arrays of labels"
        )
    return classes


def _check_classes(path: Path, splits: dict[str, Split], classes: int) -> None:
    """Raise DataError if a split has a class above those of the training labels."""
    for name, split in splits.items():
        for key, labels in (
            (f"{name}_labels", split.labels),
            (f"{name}_noisy_labels", split.given),
        ):
            if labels is not None and labels.max() >= classes:
                raise DataError(
                    f"{path}: {key} has class {labels.max()}, which train_labels does not have"
                )


def _split(path: Path, content: dict[str, np.ndarray], name: str) -> Split:
    """Return one split of the file, checked."""
    for key in (f"{name}_images", f"{name}_labels"):
        if key not in content:
            present = ", ".join(sorted(content)) or "none"
            raise DataError(f"{path}: the array `{key}` is missing; it has {present}")
    images = content[f"{name}_images"]
    labels = content[f"{name}_labels"]
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.dtype != np.uint8 or images.shape[-1] not in (1, 3):
        raise DataError(
            f"{path}: {name}_images is {images.dtype} {images.shape}; expected uint8 (n, height, "
            "width) or (…, 1 or 3)"
        )
    if len(images) == 0 and len(labels) == 0:
        raise DataError(f"{path}: {name}_images is empty")
    given = None
    noisy = f"{name}_noisy_labels"
    if noisy in content and name != "test":
        given = _labels(path, noisy, content[noisy], len(images))
    return Split(images, _labels(path, f"{name}_labels", labels, len(images)), given)


def _labels(path: Path, key: str, labels: np.ndarray, n: int) -> np.ndarray:
    """Return one label per image, checked, (n,) int64."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or len(labels) != n or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{path}: {key} is {labels.dtype} {labels.shape}; expected one integer class for each "
            f"of the {n} images"
        )
    if labels.min() < 0:
        raise DataError(f"{path}: {key} has the negative class {labels.min()}")
    return labels.astype(np.int64)
