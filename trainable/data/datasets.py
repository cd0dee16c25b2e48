"""Reading data sets into arrays; every mistake in them is a `DataError` that says what was expected."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from trainable.config import Cifar10, Data, Digits, Npz
from trainable.data.locate import location, missing
from trainable.errors import DataError
from trainable.machine import Machine


@dataclass(frozen=True)
class Split:
    """Images (n, h, w, channels) uint8 and true labels (n,) int64."""

    images: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Arrays:
    """A data set as read. `mean` and `std` are per channel, of pixels in [0, 1]."""

    train: Split
    validation: Split | None
    test: Split
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @property
    def hash(self) -> str:
        """16 hex digits over all images and labels."""
        digest = hashlib.sha256()
        for split in (self.train, self.validation, self.test):
            for array in (split.images, split.labels) if split else ():
                digest.update(str(array.shape).encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()[:16]


def load(data: Data, machine: Machine) -> Arrays:
    """Read a data set from the machine. Raises DataError if it is absent or wrong."""
    if problem := missing(data, machine):
        raise DataError(problem)
    match data:
        case Digits():
            return _digits()
        case Npz():
            return _npz(machine.study_dir / data.path)
        case Cifar10():
            return _cifar10(machine)


def _digits() -> Arrays:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = np.rint(images.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
    labels = labels.astype(np.int64)
    train, test = train_test_split(np.arange(len(labels)), test_size=360, stratify=labels, random_state=0)
    train, test = np.sort(train), np.sort(test)
    return _measured(Split(images[train], labels[train]), None, Split(images[test], labels[test]), classes=10)


def _npz(path: Path) -> Arrays:
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            content = {name: np.asarray(file[name]) for name in file.files}
    except Exception as error:  # NumPy, zipfile and zlib raise a dozen types for damaged files
        raise DataError(f"{path} is not a readable .npz file of plain arrays: {error}") from None
    train, test = _npz_split(path, content, "train"), _npz_split(path, content, "test")
    given = any(content[key].size for key in ("val_images", "val_labels") if key in content)
    validation = _npz_split(path, content, "val") if given else None
    for name, split in (("val", validation), ("test", test)):
        if split and split.images.shape[1:] != train.images.shape[1:]:
            raise DataError(
                f"{path}: {name}_images are {split.images.shape[1:]} and train_images {train.images.shape[1:]}; "
                "all images must have one size"
            )
    classes = int(train.labels.max()) + 1
    if classes < 2:
        raise DataError(f"{path}: train_labels has one class only; at least two are needed")
    for name, split in (("val", validation), ("test", test)):
        if split and split.labels.max() >= classes:
            raise DataError(f"{path}: {name}_labels has class {split.labels.max()}, which train_labels never has")
    return _measured(train, validation, test, classes)


def _npz_split(path: Path, content: dict[str, np.ndarray], name: str) -> Split:
    """One split of a MedMNIST-layout file, checked."""
    for key in (f"{name}_images", f"{name}_labels"):
        if key not in content:
            raise DataError(f"{path}: the array `{key}` is missing; it has {', '.join(sorted(content)) or 'none'}")
    images, labels = content[f"{name}_images"], content[f"{name}_labels"]
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.dtype != np.uint8 or images.shape[-1] not in (1, 3):
        raise DataError(
            f"{path}: {name}_images is {images.dtype} {images.shape}; expected uint8 (n, height, width) or (…, 1 or 3)"
        )
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1 or len(labels) != len(images) or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{path}: {name}_labels is {labels.dtype} {labels.shape}; expected one integer class for each of the "
            f"{len(images)} images"
        )
    if len(labels) == 0:
        raise DataError(f"{path}: {name}_images is empty")
    if labels.min() < 0:
        raise DataError(f"{path}: {name}_labels has the negative class {labels.min()}")
    return Split(images, labels.astype(np.int64))


def _cifar10(machine: Machine) -> Arrays:
    from torchvision.datasets import CIFAR10

    folder = location(Cifar10(), machine)
    try:
        train, test = (CIFAR10(str(machine.data_dir), train=part, download=False) for part in (True, False))
    except (RuntimeError, OSError, EOFError, KeyError) as error:
        raise DataError(
            f"cifar10: {folder} is not a whole copy ({error}); unpack cifar-10-python.tar.gz again"
        ) from None
    splits = [Split(part.data, np.asarray(part.targets, np.int64)) for part in (train, test)]
    # The constants of the authors' transforms.
    return Arrays(splits[0], None, splits[1], 10, (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010))


def _measured(train: Split, validation: Split | None, test: Split, classes: int) -> Arrays:
    """Arrays normalised by the mean and standard deviation of their own training images."""
    histogram = np.stack(
        [np.bincount(train.images[..., c].ravel(), minlength=256) for c in range(train.images.shape[3])]
    )
    share, level = histogram / histogram.sum(1, keepdims=True), np.arange(256) / 255
    mean = share @ level
    std = np.sqrt(share @ level**2 - mean**2)
    return Arrays(train, validation, test, classes, tuple(mean.tolist()), tuple(np.maximum(std, 1e-3).tolist()))
