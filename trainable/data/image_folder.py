"""Folders of image files, with one subfolder per class."""

import os
import unicodedata
from pathlib import Path

import numpy as np

from trainable.config.data import ImageFolder
from trainable.data.arrays import Arrays, Split, measured
from trainable.data.images import SUFFIXES, Files
from trainable.errors import DataError


def load(root: Path, data: ImageFolder) -> Arrays:
    """List the images of `train`, `test` and optionally `val`.

    Raises:
        DataError: a folder or class is missing, unknown or empty.
    """
    classes = class_folders(root / "train")
    if len(classes) < 2:
        raise DataError(
            f"{root / 'train'} has {len(classes)} class folders; expected train/CLASS/*.jpg, two "
            "or more"
        )
    found = {
        name: list_split(root, name, classes)
        for name in ("train", "val", "test")
        if (root / name).is_dir()
    }
    if "test" not in found:
        raise DataError(
            f"{root / 'test'} does not exist; expected test/CLASS/*.jpg, images with correct labels"
        )
    for label, name in enumerate(classes):
        if label not in found["train"][1]:
            other = _others(root / "train" / name)
            raise DataError(
                f"{root / 'train' / name} has no .jpg, .jpeg or .png image{other}; "
                "a class needs at least one"
            )
    first = root / os.fsdecode(found["train"][0][0])

    def split(name: str) -> Split:
        names, labels = found[name]
        if len(names) == 0:
            raise DataError(f"{root / name} has no .jpg, .jpeg or .png images")
        return Split(Files(root, names, data.size, data.channels, first), labels, None, names)

    train = split("train")
    test = split("test")
    validation = split("val") if "val" in found else None
    if not data.labels_are_true:
        train = train.untrusted()
        validation = validation and (
            validation if data.clean_validation else validation.untrusted()
        )
    return measured(train, validation, test, len(classes), tuple(classes))


def class_folders(folder: Path) -> list[str]:
    """Return the sorted names of the class folders; the number of a class is its position.

    Raises:
        DataError: the folder does not exist, or a class folder has an unprintable name.
    """
    if not folder.is_dir():
        raise DataError(
            f"{folder} does not exist; expected one folder per class there, with its images"
        )
    names = sorted(
        entry.name
        for entry in folder.iterdir()
        if entry.is_dir() and not entry.name.startswith(".")
    )
    if strange := [name for name in names if not name.isprintable()]:
        raise DataError(
            f"{folder} has a class folder with a name that cannot be shown, {strange[0]!a}: "
            "rename it"
        )
    by_form: dict[str, str] = {}
    for name in names:
        if by_form.setdefault(composed(name), name) != name:
            raise DataError(
                f"{folder} has two class folders with the name {name}, written in different "
                "normal forms of Unicode: put their images into one folder"
            )
    return names


def composed(name: str) -> str:
    """Return a name in Unicode's normal form NFC; macOS writes `ä` as two characters."""
    return unicodedata.normalize("NFC", name)


def list_split(root: Path, name: str, classes: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the names (relative to `root`, bytes) and labels of a split's images, (n,) each.

    They are sorted by class and name.

    Raises:
        DataError: the split has a class that `train` does not have.
    """
    folders = {composed(folder): folder for folder in class_folders(root / name)}
    if unknown := folders.keys() - {composed(class_name) for class_name in classes}:
        raise DataError(
            f"{root / name} has the class {', '.join(sorted(unknown)[:5])}, which train/ does not "
            "have"
        )
    names: list[bytes] = []
    labels: list[int] = []
    for label, class_name in enumerate(classes):
        class_folder = folders.get(composed(class_name))
        if class_folder is None:
            continue
        folder = root / name / class_folder
        files = sorted(file.name for file in folder.iterdir() if is_image(file))
        names += [os.fsencode(f"{name}/{class_folder}/{file}") for file in files]
        labels += [label] * len(files)
    return np.array(names, dtype=np.bytes_), np.array(labels, np.int64)


def is_image(path: Path) -> bool:
    """Return whether a file is an image by its name."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _others(folder: Path) -> str:
    others = sorted({file.suffix for file in folder.iterdir() if file.is_file() and file.suffix})
    return f" (it has {', '.join(others)} files)" if others else ""
