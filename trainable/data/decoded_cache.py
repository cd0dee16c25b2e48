"""Image files as arrays that trials on one machine share: decoded by the first, mapped by those
after it."""

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np

from trainable.data.images import Files

ROOM = 2
"""The place must have so many times the bytes that are to be written: trials need some too."""


def decoded(files: Files, place: Path | None, threads: int) -> np.ndarray:
    """All images of `files`, uint8 (n, height, width, channels), read-only if they lie in the
    folder `place`.

    They are looked for there, and left there; None, or a folder without room, keeps them in this
    process alone. A file that has changed since is decoded again.

    Raises:
        DataError: a file is no image, or not like the others.
    """
    rows = np.arange(len(files))
    if place is None:
        return files.load(rows, threads)
    kept = place / f"{_identity(files)}.npy"
    try:
        return _mapped(kept)
    except OSError:
        images = files.load(rows, threads)
    try:
        place.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(place).free < ROOM * images.nbytes:
            return images
        fresh = kept.with_suffix(f".{os.getpid()}")
        with fresh.open("wb") as file:
            np.save(file, images)
        fresh.replace(kept)
        return _mapped(kept)
    except OSError:  # what is shared saves time; a trial can do without
        return images


def _mapped(file: Path) -> np.ndarray:
    """The array of a file, read-only and not loaded before it is used."""
    array: np.ndarray = np.load(file, mmap_mode="r", allow_pickle=False)
    return array


def _identity(files: Files) -> str:
    """Hex digits that other files, or another form of the same, do not have."""
    digest = hashlib.sha256(f"{files.root.resolve()}\0{files.shape}".encode())
    for row, name in enumerate(files.names):
        stat = files.path(row).stat()
        digest.update(b"%s\0%d\0%d\0" % (name, stat.st_size, stat.st_mtime_ns))
    return digest.hexdigest()[:32]
