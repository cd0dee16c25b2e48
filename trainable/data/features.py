"""Feature vectors that stay in their file: memory-mapped, checked once, read in batches.

Features that cannot be mapped (compressed arrays, `.parquet`, several files) are converted once
into a hidden array next to their file, or in the folder that trials of a machine share.
"""

import glob
import hashlib
import os
import shutil
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from trainable.data.decoded_cache import ROOM, cached
from trainable.data.embedding_arrays import Source, decoded
from trainable.data.embedding_columns import DESCRIPTIONS
from trainable.data.embedding_files import mapped_array, open_source
from trainable.data.images import digest
from trainable.errors import DataError
from trainable.storage.wording import first_names

BLOCK = 8192
"""Rows that are checked at once."""
MEASURED_ROWS = 65_536
"""Maximum number of rows from which mean and standard deviation are computed."""
IDENTITY = 32 * "[0-9a-f]"
"""Pattern of the identity of files in the name of a converted array."""


@dataclass(frozen=True)
class Features:
    """Feature vectors of one split.

    Attributes:
        raw: (all rows, bytes) uint8, memory-mapped; rows of all splits.
        dtype: float16 or float32.
        digests: (all rows,) uint64, equal where vectors are.
        rows: (n,) rows of the split.
        source: the files, for columns that are read when they are needed.
    """

    raw: np.ndarray
    dtype: np.dtype
    digests: np.ndarray
    rows: np.ndarray
    source: Source

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        """Number of features of a vector."""
        return int(self.raw.shape[1]) // self.dtype.itemsize

    def only(self, rows: np.ndarray) -> "Features":
        """Return only the vectors at `rows` (m,)."""
        return replace(self, rows=self.rows[rows])

    def load(self, rows: np.ndarray) -> np.ndarray:
        """Return the vectors at `rows` (m,) of the split, (m, features) of `dtype`."""
        vectors: np.ndarray = self.raw[self.rows[rows]].view(self.dtype)
        return vectors

    @property
    def contents(self) -> np.ndarray:
        """Numbers (n,) that are equal where vectors are."""
        found: np.ndarray = self.digests[self.rows]
        return found

    @property
    def hash(self) -> str:
        """Hex digits, a hash of all vectors of the split."""
        whole = hashlib.sha256(f"{self.dtype} {len(self)} {self.width}".encode())
        whole.update(np.ascontiguousarray(self.contents).data)
        return whole.hexdigest()

    @cached_property
    def texts(self) -> np.ndarray | None:
        """Texts (n,) from which the vectors were made; None: there are none."""
        return self._described("text")

    @cached_property
    def paths(self) -> np.ndarray | None:
        """Files (n,) from which the vectors were made, as written; None: there are none."""
        return self._described("paths")

    def file(self, row: int) -> Path | None:
        """Return the file of a row; a relative path starts at the folder of the features."""
        if self.paths is None:
            return None
        place = self.source.path
        folder = place if place.is_dir() else place.parent
        return folder / str(self.paths[row])

    def _described(self, column: str) -> np.ndarray | None:
        if column not in self.source.columns:
            return None
        cells = decoded(self.source.column(column)[self.rows])
        return cells[:, 0] if cells.ndim == 2 else cells


def open_features(path: Path, labels: Path | None, place: Path | None) -> Features:
    """Map the features of all rows, and check that each vector, text and path can be used.

    Args:
        path: the file or folder.
        labels: table of labels of `.npy` files; None: the default.
        place: folder that trials on this machine share; None: there is none.

    Raises:
        DataError: the files are damaged, texts or paths are of other kinds or numbers, or rows have
            NaN, infinite or only zero features; the message has the first rows.
    """
    source = open_source(path, labels)
    for column in source.columns & DESCRIPTIONS:
        source.check(column)
    raw = source.mapped()
    if raw is None:
        raw = _converted(source, place)
    digests = cached(_identity(source), place, ".digests", lambda: _digests(raw, source))
    return Features(raw, source.dtype, digests, np.arange(len(raw)), source)


def _identity(source: Source) -> str:
    """Return hex digits that identify the files by their names, sizes and times."""
    whole = hashlib.sha256()
    for file in source.files:
        stat = file.stat()
        whole.update(f"{file.resolve()}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
    return whole.hexdigest()[:32]


def _converted(source: Source, place: Path | None) -> np.ndarray:
    """Return the features of a source as bytes (rows, bytes), from an array that is written once.

    The array is only in memory if no folder can be written or has enough free space.

    Raises:
        DataError: a file is damaged.
    """
    prefix = f".{source.path.name}."
    name = f"{prefix}{_identity(source)}.npy"
    size = source.shape[0] * source.shape[1] * source.dtype.itemsize
    folders = [source.path.resolve().parent, *([] if place is None else [place])]
    for folder in folders:
        if (folder / name).exists():
            return mapped_array(folder / name)
    for folder in folders:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if shutil.disk_usage(folder).free < ROOM * size:
                continue
            for older in folder.glob(f"{glob.escape(prefix)}{IDENTITY}.npy"):
                older.unlink()
            _write(source, folder / name)
        except OSError:  # the folder cannot be written
            continue
        return mapped_array(folder / name)
    raw = np.empty((source.shape[0], size // source.shape[0]), np.uint8)
    start = 0
    for chunk in source.chunks():
        raw[start : start + len(chunk)] = np.ascontiguousarray(chunk).view(np.uint8)
        start += len(chunk)
    return raw


def _write(source: Source, file: Path) -> None:
    """Write the features of a source as an array. Raises DataError for a damaged source."""
    fresh = file.with_suffix(f".{os.getpid()}")
    try:
        with fresh.open("wb") as stream:
            header = {
                "descr": npy.dtype_to_descr(source.dtype),
                "fortran_order": False,
                "shape": source.shape,
            }
            npy.write_array_header_1_0(stream, header)
            for chunk in source.chunks():
                stream.write(np.ascontiguousarray(chunk).data)
        fresh.replace(file)
    finally:
        fresh.unlink(missing_ok=True)


def _digests(raw: np.ndarray, source: Source) -> np.ndarray:
    """Return a digest of each vector, (rows,) uint64; all vectors are checked.

    Raises:
        DataError: a vector is not finite, or has only zeros.
    """
    found = np.empty(len(raw), np.uint64)
    infinite: list[int] = []
    zero: list[int] = []
    for start in range(0, len(raw), BLOCK):
        block = raw[start : start + BLOCK]
        largest = np.abs(np.ascontiguousarray(block).view(source.dtype).astype(np.float32)).max(1)
        infinite += (start + np.flatnonzero(~np.isfinite(largest))).tolist()
        zero += (start + np.flatnonzero(largest == 0)).tolist()
        found[start : start + BLOCK] = [digest(row.tobytes()) for row in block]
    for rows, what in ((infinite, "NaN or infinite features"), (zero, "only zeros as features")):
        if rows:
            named = first_names([source.place(row) for row in rows])
            raise DataError(
                f"{source.path}: {len(rows)} of {len(raw)} rows have {what}: {named}. Compute them "
                "anew, or remove these rows with their labels"
            )
    return found


def moments(features: Features, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each feature, (features,) float64.

    They are of every k-th of the vectors at `rows` (m,), at most 65,536 in all.
    """
    chosen = rows[:: -(-len(rows) // MEASURED_ROWS)]
    total = np.zeros(features.width)
    squares = np.zeros(features.width)
    for start in range(0, len(chosen), BLOCK):
        block = features.load(chosen[start : start + BLOCK]).astype(np.float64)
        total += block.sum(0)
        squares += (block**2).sum(0)
    mean = total / len(chosen)
    return mean, np.sqrt(np.maximum(squares / len(chosen) - mean**2, 0))
