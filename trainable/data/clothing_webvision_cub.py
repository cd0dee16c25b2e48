"""Published sets of photographs: read their lists of files and labels.

Layouts are those of the publishers and, for Clothing1M and WebVision, of the authors'
`dataloader_*.py`.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from trainable.config.data import Clothing1M, Cub200, Photos, WebVision
from trainable.config.runtime import Machine
from trainable.data.arrays import Arrays, Split
from trainable.data.image_folder import is_image
from trainable.data.images import Files
from trainable.data.paths import ilsvrc12, location
from trainable.errors import DataError

# (mean, standard deviation) of each channel
IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
CLOTHING1M = ((0.6959, 0.6537, 0.6371), (0.3113, 0.3192, 0.3214))  # of the authors' transforms

Listed = list[tuple[str, int]]
"""(file name from the root, class) of each image of a split."""


def cub200(data: Cub200, machine: Machine) -> Arrays:
    """Read CUB-200-2011.

    `images.txt`, `image_class_labels.txt` (classes from 1) and `train_test_split.txt` share image
    numbers.

    Raises:
        DataError: a list is missing or wrong.
    """
    root = _root(data, machine)
    names = dict(_pairs(root / "images.txt"))
    labels = {}
    label_file = root / "image_class_labels.txt"
    for number, text in _pairs(label_file):
        labels[number] = _label(label_file, text, 200, 1)
    trained = dict(_pairs(root / "train_test_split.txt"))
    if not names.keys() == labels.keys() == trained.keys():
        raise DataError(
            f"{root}: images.txt, image_class_labels.txt and train_test_split.txt list different "
            "images"
        )

    train: Listed = []
    test: Listed = []
    for number, name in names.items():
        if trained[number] == "1":
            train.append((f"images/{name}", labels[number]))
        elif trained[number] == "0":
            test.append((f"images/{name}", labels[number]))
    class_names = tuple(name for _, name in _pairs(root / "classes.txt"))
    train_split = _split(root, train, data)
    test_split = _split(root, test, data)
    return Arrays(train_split, None, test_split, 200, *IMAGENET, class_names)


def clothing1m(data: Clothing1M, machine: Machine) -> Arrays:
    """Read Clothing1M: noisy training set, clean test set, optional clean validation set.

    Raises:
        DataError: a list is missing or wrong.
    """
    root = _root(data, machine)

    def split(keys: str, table: str) -> Split:
        return _split(root, _clothing1m_list(root, keys, table), data)

    train = split("noisy_train_key_list.txt", "noisy_label_kv.txt").untrusted()
    validation = None
    if data.clean_validation:
        validation = split("clean_val_key_list.txt", "clean_label_kv.txt")
    test = split("clean_test_key_list.txt", "clean_label_kv.txt")
    return Arrays(train, validation, test, 14, *CLOTHING1M)


def _clothing1m_list(root: Path, keys: str, table: str) -> Listed:
    """List the images of the file `keys` with their labels in the file `table`."""
    labels = {}
    for name, text in _pairs(root / table):
        labels[name] = _label(root / table, text, 14)
    names = [line.strip() for line in _lines(root / keys) if line.strip()]
    for name in names:
        if name not in labels:
            raise DataError(f"{root / keys}: {name} has no label in {table}")
    return [(name.removeprefix("images/"), labels[name]) for name in names]


def webvision(data: WebVision, machine: Machine) -> Arrays:
    """Read the first classes of WebVision's Google part.

    The test sets are the validation images of WebVision and of ILSVRC12.

    Raises:
        DataError: a list is missing or wrong, or a class has no ILSVRC12 images.
    """
    root = _root(data, machine)

    def split(file: str, folder: str) -> Split:
        listed: Listed = []
        for name, text in _pairs(root / file):
            label = _label(root / file, text, 1000)
            if label < data.classes:
                listed.append((folder + name, label))
        return _split(root, listed, data)

    train = split("info/train_filelist_google.txt", "").untrusted()
    test = split("info/val_filelist.txt", "val_images_256/")
    more_tests = {}
    if data.ilsvrc12:
        more_tests["ilsvrc12"] = _ilsvrc12(data, ilsvrc12(machine))
    return Arrays(train, None, test, data.classes, *IMAGENET, more_tests=more_tests)


def _ilsvrc12(data: WebVision, root: Path) -> Split:
    """Read ILSVRC12's validation images of the first classes."""
    listed: Listed = []
    for label in range(data.classes):
        folder = root / str(label)
        files: list[str] = []
        if folder.is_dir():
            files = sorted(file.name for file in folder.iterdir() if is_image(file))
        if not files:
            raise DataError(
                f"{folder} has no images; expected ILSVRC12's validation images of WebVision's "
                f"class {label}, or data.ilsvrc12: false"
            )
        for name in files:
            listed.append((f"{label}/{name}", label))
    return _split(root, listed, data)


def _split(root: Path, listed: Listed, data: Photos) -> Split:
    if not listed:
        raise DataError(f"{root}: a split has no images; its list is empty")
    names = np.array([os.fsencode(name) for name, _ in listed], dtype=np.bytes_)
    labels = np.array([label for _, label in listed], np.int64)
    first = root / listed[0][0]
    return Split(
        Files(root, names, data.size, 3, first, data.exif_orientation), labels, None, names
    )


def _root(data: Cub200 | Clothing1M | WebVision, machine: Machine) -> Path:
    root = location(data, machine)
    assert root is not None
    return root


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise DataError(f"{path} cannot be read: {reason}") from None


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    """Yield the two words of each line."""
    for number, line in enumerate(_lines(path), start=1):
        words = line.split()
        if len(words) == 2:
            yield words[0], words[1]
        elif words:
            raise DataError(f"{path}:{number}: `{line[:60]}` should be two words")


def _label(path: Path, text: str, classes: int, first: int = 0) -> int:
    """Return a class, counted from 0, that the file counts from `first`."""
    if not text.isdecimal() or not first <= int(text) < classes + first:
        raise DataError(
            f"{path}: `{text}` is not a class; expected {first} to {classes + first - 1}"
        )
    return int(text) - first
