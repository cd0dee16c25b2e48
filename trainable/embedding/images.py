"""The images of a data set, all splits in one order, read batch by batch."""

import dataclasses
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter, ValidationError

from trainable.config.data import Data, ImageFolder, Npz
from trainable.config.runtime import Machine
from trainable.data import registry
from trainable.data.arrays import Split
from trainable.data.features import Features
from trainable.data.image_folder import UNREADABLE
from trainable.data.images import Files, from_pixels
from trainable.errors import DataError

SMALL = 64
"""Largest side of arrays of images that are taken as they are, pixels."""
SCALED = 32
"""Side of the squares to which other images are scaled for transformations of pixels, pixels."""


@dataclass(frozen=True)
class Images:
    """All images of a data set: those for training first, then validation and test.

    Attributes:
        splits: name → images and labels; a test set that was held out is part of `train`.
        class_names: names of the classes; empty: they have numbers.
        content: hash of the images, or of their files' names and sizes, and of the labels.
        side: side of the squares to which arrays are scaled, pixels; None: they are not scaled.
        channels: 1 or 3.
        threads: number of images that are decoded at once.
        left_out: sentence about damaged files that are left out; "": there are none.
    """

    splits: dict[str, Split]
    class_names: tuple[str, ...]
    content: str
    side: int | None
    channels: int
    threads: int = 1
    left_out: str = ""

    def __len__(self) -> int:
        return sum(map(len, self.splits.values()))

    @property
    def trained(self) -> int:
        """Number of training images; they come first."""
        return len(self.splits["train"])

    def load(self, rows: np.ndarray) -> np.ndarray:
        """Return the images at `rows` (batch,), uint8 (batch, height, width, channels).

        Raises:
            DataError: a file is not a valid image.
        """
        parts = []
        for split, inside in self._by_split(rows):
            if isinstance(split.images, Files):
                parts.append(split.images.load(inside, self.threads))
            elif isinstance(split.images, np.ndarray):
                parts.append(self._fitted(split.images[inside]))
        return np.concatenate(parts)

    def _by_split(self, rows: np.ndarray) -> list[tuple[Split, np.ndarray]]:
        """Divide ascending rows among the splits; rows are counted within each."""
        found = []
        first = 0
        for split in self.splits.values():
            inside = rows[(rows >= first) & (rows < first + len(split))] - first
            if len(inside):
                found.append((split, inside))
            first += len(split)
        return found

    def _fitted(self, pixels: np.ndarray) -> np.ndarray:
        """Return arrays (batch, h, w, c) with the side and the channels that are wanted."""
        if self.side is None and pixels.shape[3] == self.channels:
            return pixels
        fitted = [from_pixels(image, self.side, self.channels) for image in pixels]
        return np.stack(fitted)

    def columns(self, folder: Path) -> dict[str, np.ndarray]:
        """Return what a file of features in `folder` says of its rows, (n,) arrays by name.

        `labels` are the given labels and `true_labels` the true ones, if the data set has both;
        numbers of `classes`, the names of the classes, if they have names. `split` is one of
        `train`, `validation` and `test`; absent if all rows are for training. `paths` are the
        images, relative to `folder`.
        """
        splits = self.splits.values()
        columns = {"labels": np.concatenate([split.start for split in splits])}
        if any(split.given is not None for split in splits):
            columns["true_labels"] = np.concatenate([split.labels for split in splits])
        if len(self.splits) > 1:
            sizes = list(map(len, splits))
            columns["split"] = np.repeat(np.array(list(self.splits)), sizes)
        if self.class_names:
            columns["classes"] = np.array(self.class_names)
        images = [split.images for split in splits]
        files = [image for image in images if isinstance(image, Files)]
        if len(files) == len(images):
            columns["paths"] = np.array(_paths(files, folder))
        return columns


def _paths(files: Sequence[Files], folder: Path) -> list[str]:
    """Return the paths of all files, relative to a folder."""
    found = []
    for each in files:
        root = os.path.relpath(each.root.resolve(), folder.resolve())
        for name in each.names:
            path = Path(root, os.fsdecode(name)).as_posix()
            found.append(os.fsencode(path).decode(errors="backslashreplace"))
    return found


def read_images(
    source: str,
    machine: Machine,
    side: int | None,
    channels: int | None,
    threads: int,
    skip_unreadable: bool = False,
) -> Images:
    """Read a data set: a folder of images, an `.npz` file, or a data set with a name.

    Args:
        source: the path, or a name such as `fashion_mnist`.
        machine: where data sets with a name are.
        side: side of the squares to which images are scaled, pixels; None: arrays of up to 64
            pixels are not scaled, other images to 32.
        channels: 1 or 3; None: those of an array, 3 for files.
        threads: number of images that are decoded at once.
        skip_unreadable: whether damaged files of a folder are left out; all are decoded for this.

    Raises:
        DataError: there is no such data set, or it is not valid.
    """
    data = _section(source)
    if isinstance(data, ImageFolder):
        fields = {
            "size": side or SCALED,
            "channels": channels or 3,
            "skip_unreadable": skip_unreadable,
        }
        data = data.model_copy(update=fields)
    elif skip_unreadable:
        raise DataError(f"--skip-unreadable is for folders of images; {source} is none")
    arrays = registry.load(data, machine)
    assert not isinstance(arrays.train.images, Features)
    splits = {"train": arrays.train, "validation": arrays.validation, "test": arrays.test}
    if arrays.held_out is not None:
        del splits["test"]
    there = {name: split for name, split in splits.items() if split is not None}
    return Images(
        splits={name: _scaled_files(split, side) for name, split in there.items()},
        class_names=arrays.class_names,
        content=arrays.hash,
        side=side or _side(arrays.train.images.shape),
        channels=channels or arrays.train.images.shape[-1],
        threads=threads,
        left_out="\n".join(note for note in arrays.notes if UNREADABLE in note),
    )


def _section(source: str) -> Data:
    """Return the section `data` for a path or a name."""
    path = Path(source)
    if path.is_dir():
        return ImageFolder(path=str(path.resolve()))
    if path.is_file():
        return Npz(path=str(path.resolve()))
    try:
        data: Data = TypeAdapter(Data).validate_python({"name": source})
    except ValidationError:
        raise DataError(
            f"{source} does not exist; expected a folder of images, an .npz file, or the name of a "
            "data set such as fashion_mnist or cifar10"
        ) from None
    return data


def _scaled_files(split: Split, side: int | None) -> Split:
    """Return a split whose files are decoded as squares of `side` pixels, if one is wanted."""
    if side is None or not isinstance(split.images, Files):
        return split
    return dataclasses.replace(split, images=dataclasses.replace(split.images, size=side))


def _side(shape: tuple[int, ...]) -> int | None:
    """Return the side to which images (…, h, w, channels) are scaled; None: they are small."""
    return SCALED if max(shape[-3:-1]) > SMALL else None
