"""Folders of image files, with one subfolder per class."""

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from trainable.config.data import ImageFolder
from trainable.config.runtime import Machine
from trainable.data.arrays import Arrays, Split, measured
from trainable.data.images import SUFFIXES, Files, first_names
from trainable.errors import DataError

SPLITS = ("train", "val", "test")
KINDS = ", ".join(SUFFIXES)
OTHER = f"files are left out, because they are not images ({KINDS})"
HIDDEN = "hidden files are left out"
BROKEN = "links are left out, because they lead nowhere"
OUTSIDE = "images are left out, because they are in no class folder"
NO_SPLIT = "folders are left out, because they are neither train, val nor test"


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
    found = {name: list_split(root, name, classes) for name in SPLITS if (root / name).is_dir()}
    if "test" not in found:
        raise DataError(
            f"{root / 'test'} does not exist; expected test/CLASS/*.jpg, images with correct labels"
        )
    for label, name in enumerate(classes):
        if label not in found["train"].labels:
            other = _others(root / "train" / name)
            raise DataError(
                f"{root / 'train' / name} has no image{other}; a class needs at least one ({KINDS})"
            )
    first = root / os.fsdecode(found["train"].names[0])

    def split(name: str) -> Split:
        names = found[name].names
        if len(names) == 0:
            raise DataError(f"{root / name} has no images ({KINDS})")
        files = Files(root, names, data.size, data.channels, first, data.exif_orientation)
        return Split(files, found[name].labels, None, names)

    train = split("train")
    test = split("test")
    validation = split("val") if "val" in found else None
    if not data.labels_are_true:
        train = train.untrusted()
        validation = validation and (
            validation if data.clean_validation else validation.untrusted()
        )
    arrays = measured(train, validation, test, len(classes), tuple(classes))
    return replace(arrays, notes=tuple(left_out(root, data.path, found.values())))


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


@dataclass(frozen=True)
class Listing:
    """The files of a split's class folders, at any depth, sorted by class and name.

    Attributes:
        names: (n,) names of the images as bytes, relative to the data set's folder.
        labels: (n,) positions of their classes.
        left_out: names of files that are not read, by the reason.
    """

    names: np.ndarray
    labels: np.ndarray
    left_out: dict[str, list[str]]


def list_split(root: Path, name: str, classes: list[str]) -> Listing:
    """List the images of a split.

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
    left_out: dict[str, list[str]] = defaultdict(list)
    for file in sorted(file for file in (root / name).iterdir() if file.is_file()):
        left_out[_reason(file, root) or OUTSIDE].append(shown(file, root))
    for label, class_name in enumerate(classes):
        class_folder = folders.get(composed(class_name))
        if class_folder is None:
            continue
        for file in files_below(root / name / class_folder):
            reason = _reason(file, root)
            if reason:
                left_out[reason].append(shown(file, root))
            else:
                names.append(os.fsencode(file.relative_to(root)))
                labels.append(label)
    return Listing(np.array(names, dtype=np.bytes_), np.array(labels, np.int64), dict(left_out))


def files_below(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder, each folder's own first, sorted by name.

    Links to folders are followed, once each.
    """
    visited: set[str] = set()
    for place, subfolders, files in os.walk(folder, followlinks=True):
        visited.add(os.path.realpath(place))
        subfolders[:] = sorted(
            name for name in subfolders if os.path.realpath(Path(place, name)) not in visited
        )
        for name in sorted(files):
            yield Path(place, name)


def left_out(root: Path, name: str, splits: Iterable[Listing]) -> list[str]:
    """Return sentences about files and folders of a data set that are not read.

    `name` is the data set's folder as the study writes it.
    """
    by_reason: dict[str, list[str]] = defaultdict(list)
    for split in splits:
        for reason, names in split.left_out.items():
            by_reason[reason] += names
    by_reason[NO_SPLIT] += sorted(
        f"{entry.name}/"
        for entry in root.iterdir()
        if entry.is_dir() and entry.name not in SPLITS and not entry.name.startswith(".")
    )
    return [
        f"{name}: {len(names)} {reason}: {first_names(names)}"
        for reason, names in by_reason.items()
        if names
    ]


def unread(data: ImageFolder, machine: Machine) -> list[str]:
    """Return sentences about files that are not read; none if the data set cannot be listed."""
    root = machine.study_dir / data.path
    try:
        classes = class_folders(root / "train")
        listings = [list_split(root, name, classes) for name in SPLITS if (root / name).is_dir()]
    except (DataError, OSError):
        return []
    return left_out(root, data.path, listings)


def is_image(path: Path) -> bool:
    """Return whether a file is an image by its name."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _reason(file: Path, root: Path) -> str | None:
    """Return why a file of the data set in `root` is left out; None: it is read."""
    if any(part.startswith(".") for part in file.relative_to(root).parts):
        return HIDDEN
    if not file.exists():
        return BROKEN
    return None if is_image(file) else OTHER


def shown(file: Path, root: Path) -> str:
    """Return a file's name for people."""
    return os.fsencode(file.relative_to(root)).decode(errors="backslashreplace")


def _others(folder: Path) -> str:
    others = sorted({file.suffix for file in files_below(folder) if file.suffix})
    return f" (it has {', '.join(others)} files)" if others else ""
