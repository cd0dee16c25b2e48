"""Survey of a user's data: classes, sizes, and suspicious findings. The module loads no torch."""

import hashlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from trainable.config.data import ImageFolder, Npz
from trainable.data import image_folder, npz
from trainable.data.arrays import Arrays
from trainable.data.images import ORIENTATION, seen_size
from trainable.errors import DataError
from trainable.storage.wording import first_names

FEW = 10
"""Minimum number of training images of a class; fewer are too few to divide."""
UNEVEN = 10
"""Ratio of the largest to the smallest class above which classes are reported as uneven."""


@dataclass
class Survey:
    """Findings about a data set.

    Attributes:
        form: `image_folder` or `npz`.
        class_names: names of the classes, in their order.
        counts: {split: number of images of each class}.
        sizes: {(height, width): number of images}.
        grey: whether all images are grey.
        noisy_labels: whether the data set has noisy labels in addition to the true ones.
        held_out: whether the data have no test set, and a part of the training images is used.
        problems: messages, the most serious first.
    """

    form: str
    class_names: tuple[str, ...]
    counts: dict[str, list[int]]
    sizes: Counter[tuple[int, int]]
    grey: bool
    noisy_labels: bool = False
    held_out: bool = False
    problems: list[str] = field(default_factory=list)

    @property
    def train(self) -> int:
        """Number of training images."""
        return sum(self.counts["train"])


def survey(path: Path) -> Survey:
    """Survey a folder of images or an `.npz` file.

    Raises:
        DataError: no study can use the data.
    """
    if not path.exists():
        raise DataError(f"{path} does not exist")
    found = _folder(path) if path.is_dir() else _npz(path)
    found.problems += list(_uneven(found))
    return found


def _folder(root: Path) -> Survey:
    layout = image_folder.Layout.of(root)
    classes = layout.classes()
    splits = layout.listings(classes)
    modes: Counter[str] = Counter()
    sizes: Counter[tuple[int, int]] = Counter()
    unreadable: list[str] = []
    contents: dict[str, list[bytes]] = defaultdict(list)
    rotated = 0
    for split, listing in splits.items():
        for name in listing.names:
            content = (root / os.fsdecode(name)).read_bytes()
            contents[split].append(hashlib.sha256(content).digest())
            try:
                with Image.open(root / os.fsdecode(name)) as image:
                    image.load()
                    sizes[seen_size(image)] += 1
                    rotated += image.getexif().get(ORIENTATION, 1) != 1
                    modes[image.mode] += 1
            except Exception as error:  # Pillow raises many types
                unreadable.append(f"{name.decode(errors='backslashreplace')} ({str(error)[:60]})")
    if unreadable:
        raise DataError(
            f"{root}: {len(unreadable)} images cannot be read: {first_names(unreadable)}; "
            "repair or delete them"
        )
    data = image_folder.load(
        root, ImageFolder(path=str(root), size=None if len(sizes) == 1 else 32)
    )
    found = Survey(
        "image_folder",
        tuple(classes),
        _counts(data),
        sizes,
        set(modes) <= {"1", "L", "LA", "I;16"},
        held_out=data.held_out is not None,
    )
    found.problems += _duplicates(contents, data)
    found.problems += _other_forms(layout, classes)
    mixed = sorted(set(modes) - {"RGB"})
    if mixed and not found.grey:
        found.problems.append(
            f"images of several kinds: {', '.join(f'{n} {m}' for m, n in modes.most_common())}"
        )
    if rotated:
        found.problems.append(
            f"{rotated} images have an EXIF orientation and are rotated by it; "
            "data.exif_orientation: false takes them as they are stored"
        )
    found.problems += data.notes
    return found


def _other_forms(layout: image_folder.Layout, classes: list[str]) -> Iterable[str]:
    """Yield messages about class folders that differ from those of `train` in Unicode's form."""
    for split, folder in layout.folders.items():
        written = set(image_folder.class_folders(layout.root / folder)) - set(classes)
        if written:
            yield (
                f"{split} writes {first_names(sorted(written))} in another normal form of Unicode "
                "than train (NFC and NFD look alike): they are taken as the same classes"
            )


def _npz(path: Path) -> Survey:
    data = npz.load(path, Npz(path=str(path)))
    counts = _counts(data)
    assert isinstance(data.train.images, np.ndarray)
    _, height, width, channels = data.train.images.shape
    found = Survey(
        "npz",
        tuple(str(c) for c in range(data.classes)),
        counts,
        Counter({(height, width): sum(map(sum, counts.values()))}),
        channels == 1,
        data.train.given is not None,
        held_out=data.held_out is not None,
    )
    contents = {}
    for name, split in (("train", data.train), ("val", data.validation), ("test", data.test)):
        if split is not None:
            images = np.asarray(split.images)
            contents[name] = [hashlib.sha256(image.tobytes()).digest() for image in images]
    found.problems += _duplicates(contents, data)
    return found


def _counts(data: Arrays) -> dict[str, list[int]]:
    """Return the number of images of each class in each split."""
    labels = {"train": data.train.labels[data.trained]}
    if data.validation is not None:
        labels["val"] = data.validation.labels
    labels["test"] = data.test.labels
    return {
        name: np.bincount(split, minlength=data.classes).tolist() for name, split in labels.items()
    }


def _duplicates(contents: dict[str, list[bytes]], data: Arrays) -> Iterable[str]:
    """Yield messages about images with equal content."""
    train = contents["train"]
    labels: dict[bytes, set[int]] = defaultdict(set)
    for content, label in zip(train, data.train.start.tolist(), strict=True):
        labels[content].add(label)
    # No copy of an image that is held out for the test is trained on.
    for name in ("val",) if data.held_out is not None else ("test", "val"):
        if leaked := sum(content in labels for content in contents.get(name, [])):
            yield (
                f"{leaked} {name} images are training images too: "
                "accuracy on them is not meaningful"
            )
    ambiguous = sum(len(several) > 1 for several in labels.values())
    if ambiguous:
        yield (
            f"{ambiguous} training images appear under several classes: at least one of those "
            "labels is wrong"
        )
    if len(train) > len(labels):
        yield f"{len(train) - len(labels)} training images are copies of another"


def _uneven(found: Survey) -> Iterable[str]:
    train = found.counts["train"]
    names = found.class_names

    def those(condition: Callable[[int], bool], split: str = "train") -> list[str]:
        return [
            name
            for name, count in zip(names, found.counts.get(split, []), strict=False)
            if condition(count)
        ]

    if absent := those(lambda count: count == 0):
        yield f"classes without a training image: {first_names(absent)}"
    if few := those(lambda count: 0 < count < FEW):
        yield f"fewer than {FEW} training images: {first_names(few)}"
    if max(train) > UNEVEN * max(1, min(train)):
        yield (
            f"uneven classes: {max(train)} training images of the largest and {min(train)} of the "
            "smallest; set method.prior to their frequencies, or method.prior_penalty to 0, "
            "because the penalty assumes equal classes"
        )
    if untested := those(lambda count: count == 0, "test"):
        yield f"classes without a test image: {first_names(untested)}"
