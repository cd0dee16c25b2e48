"""Cache of decoded images that trials on one machine share.

The first trial decodes the image files; later trials memory-map the array.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from trainable.data.images import Files

ROOM = 2
"""Required free disk space as a multiple of the array's bytes, because trials also need space."""


def decoded(files: Files, place: Path | None, threads: int) -> np.ndarray:
    """Return all images of `files`, uint8 (n, height, width, channels).

    The array is read from the folder `place` (read-only), or written there. It is only in memory if
    `place` is None or has too little free space. Files that have changed are decoded again.

    Raises:
        DataError: a file is not a valid image, or has another size than the others.
    """
    rows = np.arange(len(files))
    identity = _identity(files) if place else ""
    return cached(identity, place, "", lambda: files.load(rows, threads))


def digests(files: Files, place: Path | None) -> np.ndarray:
    """Return a digest of the bytes of each of the files, (n,) uint64; `place` as in `decoded`.

    Raises:
        DataError: a file cannot be read.
    """
    rows = np.arange(len(files))
    identity = _identity(files) if place else ""
    return cached(identity, place, ".digests", lambda: files.digests(rows))


def cached(
    identity: str, place: Path | None, kind: str, make: Callable[[], np.ndarray]
) -> np.ndarray:
    """Return an array that belongs to files: that in a folder, or else what `make` returns.

    Args:
        identity: hex digits that identify the files and their state.
        place: the folder; None: there is none.
        kind: what the array is, the end of its name.
        make: computes the array.
    """
    if place is None:
        return make()
    kept = place / f"{identity}{kind}.npy"
    try:
        return _mapped(kept)
    except OSError:
        made = make()
    try:
        place.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(place).free < ROOM * made.nbytes:
            return made
        fresh = kept.with_suffix(f".{os.getpid()}")
        with fresh.open("wb") as file:
            np.save(file, made)
        fresh.replace(kept)
        return _mapped(kept)
    except OSError:  # the cache only saves time
        return made


def _mapped(file: Path) -> np.ndarray:
    """Memory-map the array of a file, read-only."""
    array: np.ndarray = np.load(file, mmap_mode="r", allow_pickle=False)
    return array


def _identity(files: Files) -> str:
    """Return hex digits that identify the files and the shape of the decoded images."""
    digest = hashlib.sha256(f"{files.root.resolve()}\0{files.shape}{files.upright}".encode())
    for row, name in enumerate(files.names):
        stat = files.path(row).stat()
        digest.update(b"%s\0%d\0%d\0" % (name, stat.st_size, stat.st_mtime_ns))
    return digest.hexdigest()[:32]
