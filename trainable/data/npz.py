"""`.npz` files in the layout of MedMNIST."""

from pathlib import Path

import numpy as np

from trainable.config.data import Npz
from trainable.data.arrays import Arrays, Split, measured
from trainable.errors import DataError


def load(path: Path, data: Npz) -> Arrays:
    """Read the file. Raises DataError that names the array and what it should be."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            content = {name: np.asarray(file[name]) for name in file.files}
    except Exception as error:  # NumPy, zipfile and zlib raise a dozen types for damaged files
        raise DataError(f"{path} is not a readable .npz file of plain arrays: {error}") from None
    train, test = _split(path, content, "train"), _split(path, content, "test")
    given = any(content[key].size for key in ("val_images", "val_labels") if key in content)
    validation = _split(path, content, "val") if given else None
    for name, split in (("val", validation), ("test", test)):
        if split and split.images.shape[1:] != train.images.shape[1:]:
            raise DataError(
                f"{path}: {name}_images are {split.images.shape[1:]} and train_images "
                f"{train.images.shape[1:]}; "
                "all images must have one size"
            )
    classes = int(train.labels.max()) + 1
    if classes > len(train):
        raise DataError(
            f"{path}: train_labels has class {classes - 1}, more than its {len(train)} images can "
            "show"
        )
    if classes < 2:
        raise DataError(f"{path}: train_labels has one class only; at least two are needed")
    for name, split in (("train", train), ("val", validation), ("test", test)):
        if split and split.labels.max() >= classes:
            raise DataError(
                f"{path}: {name}_labels has class {split.labels.max()}, which train_labels never "
                "has"
            )
        if split and split.given is not None and split.given.max() >= classes:
            raise DataError(
                f"{path}: {name}_noisy_labels has class {split.given.max()}, which train_labels "
                "never has"
            )
    if not data.labels_are_true:
        if train.given is not None:
            raise DataError(
                f"{path} has train_noisy_labels, so train_labels are the right ones: leave "
                "data.labels_are_true out"
            )
        train = train.untrusted()
        validation = validation and (
            validation if data.clean_validation else validation.untrusted()
        )
    return measured(train, validation, test, classes)


def _split(path: Path, content: dict[str, np.ndarray], name: str) -> Split:
    """One split of a MedMNIST-layout file, checked."""
    for key in (f"{name}_images", f"{name}_labels"):
        if key not in content:
            raise DataError(
                f"{path}: the array `{key}` is missing; it has "
                f"{', '.join(sorted(content)) or 'none'}"
            )
    images, labels = content[f"{name}_images"], content[f"{name}_labels"]
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.dtype != np.uint8 or images.shape[-1] not in (1, 3):
        raise DataError(
            f"{path}: {name}_images is {images.dtype} {images.shape}; expected uint8 (n, height, "
            "width) or (…, 1 or 3)"
        )
    if len(images) == 0 and len(labels) == 0:
        raise DataError(f"{path}: {name}_images is empty")
    noisy = f"{name}_noisy_labels"
    given = (
        _labels(path, noisy, content[noisy], len(images))
        if noisy in content and name != "test"
        else None
    )
    return Split(images, _labels(path, f"{name}_labels", labels, len(images)), given)


def _labels(path: Path, key: str, labels: np.ndarray, n: int) -> np.ndarray:
    """One label an image, checked."""
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
