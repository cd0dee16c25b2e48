"""Published sets of photographs: their lists become files and labels. The layouts are those of the
publishers and, for Clothing1M and WebVision, of the authors' `dataloader_*.py`."""

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

IMAGENET = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
CLOTHING1M = (0.6959, 0.6537, 0.6371), (0.3113, 0.3192, 0.3214)  # of the authors' transforms


def cub200(data: Cub200, machine: Machine) -> Arrays:
    """CUB-200-2011: `images.txt`, `image_class_labels.txt` (from 1) and `train_test_split.txt`
    share image numbers."""
    root = _root(data, machine)
    names = dict(_pairs(root / "images.txt"))
    labels = {
        k: _label(root / "image_class_labels.txt", v, 200, 1)
        for k, v in _pairs(root / "image_class_labels.txt")
    }
    trained = dict(_pairs(root / "train_test_split.txt"))
    if not names.keys() == labels.keys() == trained.keys():
        raise DataError(
            f"{root}: images.txt, image_class_labels.txt and train_test_split.txt list different "
            "images"
        )

    def split(flag: str) -> Split:
        chosen = [(f"images/{names[k]}", labels[k]) for k in names if trained[k] == flag]
        return _split(root, chosen, data)

    class_names = tuple(name for _, name in _pairs(root / "classes.txt"))
    return Arrays(split("1"), None, split("0"), 200, *IMAGENET, class_names)


def clothing1m(data: Clothing1M, machine: Machine) -> Arrays:
    """The noisy training set, the clean test set, and the clean validation set if it is chosen."""
    root = _root(data, machine)

    def split(keys: str, table: str) -> Split:
        labels = {name: _label(root / table, text, 14) for name, text in _pairs(root / table)}
        listed = [line.strip() for line in _lines(root / keys) if line.strip()]
        if absent := next((name for name in listed if name not in labels), None):
            raise DataError(f"{root / keys}: {absent} has no label in {table}")
        return _split(root, [(name.removeprefix("images/"), labels[name]) for name in listed], data)

    train = split("noisy_train_key_list.txt", "noisy_label_kv.txt").untrusted()
    validation = (
        split("clean_val_key_list.txt", "clean_label_kv.txt") if data.clean_validation else None
    )
    test = split("clean_test_key_list.txt", "clean_label_kv.txt")
    return Arrays(train, validation, test, 14, *CLOTHING1M)


def webvision(data: WebVision, machine: Machine) -> Arrays:
    """The first classes of the Google part; tests on WebVision's own validation images and on
    ILSVRC12's."""
    root = _root(data, machine)

    def split(file: str, folder: str) -> Split:
        pairs = [
            (folder + name, _label(root / file, text, 1000)) for name, text in _pairs(root / file)
        ]
        return _split(root, [pair for pair in pairs if pair[1] < data.classes], data)

    train = split("info/train_filelist_google.txt", "").untrusted()
    test = split("info/val_filelist.txt", "val_images_256/")
    more = {"ilsvrc12": _ilsvrc12(data, ilsvrc12(machine))} if data.ilsvrc12 else {}
    return Arrays(train, None, test, data.classes, *IMAGENET, more_tests=more)


def _ilsvrc12(data: WebVision, root: Path) -> Split:
    listed = []
    for label in range(data.classes):
        folder = root / str(label)
        files = (
            sorted(file.name for file in folder.iterdir() if is_image(file))
            if folder.is_dir()
            else []
        )
        if not files:
            raise DataError(
                f"{folder} has no images; expected ILSVRC12's validation images of WebVision's "
                f"class {label} there, or "
                "data.ilsvrc12: false"
            )
        listed += [(f"{label}/{name}", label) for name in files]
    return _split(root, listed, data)


def _split(root: Path, listed: list[tuple[str, int]], data: Photos) -> Split:
    if not listed:
        raise DataError(f"{root}: a split has no images; its list is empty")
    names = np.array([os.fsencode(name) for name, _ in listed], dtype=np.bytes_)
    labels = np.array([label for _, label in listed], np.int64)
    return Split(Files(root, names, data.size, 3, root / listed[0][0]), labels, None, names)


def _root(data: Cub200 | Clothing1M | WebVision, machine: Machine) -> Path:
    root = location(data, machine)
    assert root is not None
    return root


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise DataError(f"{path} cannot be read: {reason}") from None


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    """The two words of each line."""
    for number, line in enumerate(_lines(path), start=1):
        words = line.split()
        if len(words) == 2:
            yield words[0], words[1]
        elif words:
            raise DataError(f"{path}:{number}: `{line[:60]}` should be two words")


def _label(path: Path, text: str, classes: int, first: int = 0) -> int:
    """A class counted from `first` in the file, counted from 0."""
    if not text.isdecimal() or not first <= int(text) < classes + first:
        raise DataError(
            f"{path}: `{text}` is not a class; expected {first} to {classes + first - 1}"
        )
    return int(text) - first
