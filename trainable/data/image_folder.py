"""Folders of image files, with one subfolder per class, in splits or not."""

import hashlib
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from trainable.config.data import ImageFolder
from trainable.config.runtime import Machine
from trainable.data.arrays import MEASURED_FILES, Arrays, Split, measured
from trainable.data.decoded_cache import cached, digests
from trainable.data.held_out import Tested, as_declared, held_out, refuse_copies, trust_in_test
from trainable.data.images import SUFFIXES, Files, decode
from trainable.errors import DataError
from trainable.storage.wording import first_names

SPLITS = ("train", "val", "test")
KINDS = ", ".join(SUFFIXES)
OTHER = f"files are left out, because they are not images ({KINDS})"
HIDDEN = "hidden files are left out"
BROKEN = "links are left out, because they lead nowhere"
OUTSIDE = "images are left out, because they are in no class folder"
UNREADABLE = "files are left out, because they are not valid images"
NO_SPLIT = "folders are left out, because they are neither train, val nor test"


@dataclass(frozen=True)
class Layout:
    """Where the images of a data set are.

    Attributes:
        root: folder of the data set.
        folders: split → its folder below `root`; "" if the class folders are in `root` itself.
    """

    root: Path
    folders: dict[str, str]

    @classmethod
    def of(cls, root: Path) -> "Layout":
        """Look for `train/CLASS/`, `val/CLASS/` and `test/CLASS/`, or `CLASS/` alone.

        Raises:
            DataError: there is neither.
        """
        splits = {name: name for name in SPLITS if _has_folders(root / name)}
        if "train" in splits:
            return cls(root, {name: name for name in SPLITS if (root / name).is_dir()})
        if splits:
            others = " and ".join(f"{name}/" for name in splits)
            raise DataError(
                f"{root / 'train'} does not exist or has no class folders; expected "
                f"train/CLASS/*.jpg next to {others}"
            )
        return cls(root, {"train": ""})

    @property
    def has_test(self) -> bool:
        """Whether there is a test set."""
        return "test" in self.folders

    def classes(self) -> list[str]:
        """Return the names of the classes, sorted.

        Raises:
            DataError: there are fewer than two, or a name cannot be used.
        """
        folder = self.root / self.folders["train"]
        names = class_folders(folder)
        if len(names) < 2 or set(names) <= set(SPLITS):
            inside = sorted(entry.name for entry in self.root.iterdir())
            raise DataError(
                f"{folder} has {len(names)} class folders; expected CLASS/*.jpg or "
                "train/CLASS/*.jpg, two classes or more, and it has "
                f"{first_names(inside) or 'nothing'}"
            )
        return names

    def listings(self, classes: list[str]) -> dict[str, "Listing"]:
        """Return the images of each split. Raises DataError for a class that `train` lacks."""
        return {
            name: list_split(self.root, folder, classes) for name, folder in self.folders.items()
        }


def load(root: Path, data: ImageFolder, place: Path | None = None) -> Arrays:
    """List the images; without a test set, hold out a part of the training images.

    Args:
        root: folder of the data set.
        data: fields of the data set.
        place: folder where trials on this machine share digests of the files; None: there is none.

    Raises:
        DataError: a folder or class is missing, unknown or empty, or the test images are training
            images.
    """
    layout = Layout.of(root)
    classes = layout.classes()
    found = layout.listings(classes)
    if data.skip_unreadable:
        found = {name: _readable(root, each, data, place) for name, each in found.items()}
    for label, name in enumerate(classes):
        if label not in found["train"].labels:
            folder = root / layout.folders["train"] / name
            raise DataError(
                f"{folder} has no image{_others(folder)}; a class needs at least one ({KINDS})"
            )
    first = root / os.fsdecode(found["train"].names[0])

    def split(name: str) -> Split:
        names = found[name].names
        if len(names) == 0:
            raise DataError(f"{root / name} has no images ({KINDS})")
        files = Files(root, names, data.size, data.channels, first, data.exif_orientation)
        return Split(files, found[name].labels, None, names)

    train = split("train")
    validation = split("val") if "val" in found else None
    held = None
    if layout.has_test:
        test = split("test")
        _check_test(test, train, data.path)
    else:
        assert isinstance(train.images, Files)
        held = held_out(train.labels, digests(train.images, place), data.test_fraction)
        test = train.only(held)
    train, validation = as_declared(train, validation, data)
    arrays = measured(train, validation, test, len(classes), tuple(classes), held)
    return replace(
        arrays,
        notes=tuple(left_out(layout, data.path, found.values())),
        skipped_images=sum(len(each.left_out.get(UNREADABLE, ())) for each in found.values()),
        test_labels=trust_in_test(data, layout.has_test, true_known=False),
    )


def _readable(root: Path, listing: "Listing", data: ImageFolder, place: Path | None) -> "Listing":
    """Return a listing without the files that cannot be decoded; it names them as left out."""
    identity = hashlib.sha256(f"{root.resolve()}\0{data.channels}{data.exif_orientation}".encode())
    for name in listing.names:
        stat = (root / os.fsdecode(name)).stat()
        identity.update(b"%s\0%d\0%d\0" % (name, stat.st_size, stat.st_mtime_ns))

    def decodable() -> np.ndarray:
        return np.array([_is_valid(root / os.fsdecode(name), data) for name in listing.names], bool)

    kept = cached(identity.hexdigest()[:32], place, ".readable", decodable)
    broken = [name.decode(errors="backslashreplace") for name in listing.names[~kept]]
    return Listing(
        listing.names[kept], listing.labels[kept], {**listing.left_out, UNREADABLE: broken}
    )


def _is_valid(path: Path, data: ImageFolder) -> bool:
    """Return whether an image can be decoded."""
    try:
        decode(path, None, data.channels, data.exif_orientation)
    except DataError:
        return False
    return True


def _check_test(test: Split, train: Split, name: str) -> None:
    """Raise DataError if at least half of the test images are training images.

    All images are read only if those of a sample are.
    """
    assert isinstance(test.images, Files)
    assert isinstance(train.images, Files)
    train_sizes = train.images.sizes()
    step = -(-len(test) // MEASURED_FILES)
    for rows in (np.arange(0, len(test), step), np.arange(len(test))):
        alike = np.flatnonzero(np.isin(train_sizes, test.images.sizes(rows)))
        same = np.isin(test.images.digests(rows), train.images.digests(alike)).sum()
        if 2 * same < len(rows):
            return
    refuse_copies(int(same), len(test), name)


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
    """List the images of a split, in its folder `name` below `root`.

    Raises:
        DataError: the split has a class that `train` does not have.
    """
    folders = {composed(folder): folder for folder in class_folders(root / name)}
    if unknown := folders.keys() - {composed(class_name) for class_name in classes}:
        raise DataError(
            f"{root / name} has the class {first_names(sorted(unknown))}, which train/ does not "
            f"have; train/ has {first_names(classes)}. Names are compared letter by letter (in "
            "Unicode's normal form NFC)"
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


def left_out(layout: Layout, name: str, splits: Iterable[Listing]) -> list[str]:
    """Return sentences about files and folders of a data set that are not read.

    `name` is the data set's folder as the study writes it.
    """
    by_reason: dict[str, list[str]] = defaultdict(list)
    for split in splits:
        for reason, names in split.left_out.items():
            by_reason[reason] += names
    if layout.folders["train"]:
        by_reason[NO_SPLIT] += sorted(
            f"{entry.name}/"
            for entry in layout.root.iterdir()
            if entry.is_dir() and entry.name not in SPLITS and not entry.name.startswith(".")
        )
    return [
        f"{name}: {len(names)} {reason}: {first_names(names)}"
        for reason, names in by_reason.items()
        if names
    ]


def unread(data: ImageFolder, machine: Machine) -> list[str]:
    """Return sentences about files that are not read; none if the data set cannot be listed."""
    try:
        layout = Layout.of(machine.study_dir / data.path)
        listings = layout.listings(layout.classes())
    except (DataError, OSError):
        return []
    return left_out(layout, data.path, listings.values())


def tested(root: Path, data: ImageFolder) -> Tested:
    """Return what the test set of a data set is; files are listed and not read.

    Raises:
        DataError: the data set cannot be listed.
    """
    layout = Layout.of(root)
    found = layout.listings(layout.classes())
    labels = trust_in_test(data, layout.has_test, true_known=False)
    if layout.has_test:
        return Tested(True, len(found["test"].labels), labels)
    return Tested(False, round(data.test_fraction * len(found["train"].labels)), labels)


def is_image(path: Path) -> bool:
    """Return whether a file is an image by its name."""
    return path.suffix.lower() in SUFFIXES and not path.name.startswith(".")


def _has_folders(folder: Path) -> bool:
    """Return whether a folder has folders that are not hidden."""
    if not folder.is_dir():
        return False
    return any(entry.is_dir() and not entry.name.startswith(".") for entry in folder.iterdir())


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
