"""Arrays of embeddings, `.npz` and `.npy`, and what all sources of embeddings have in common.

A source knows the shape of its features and the names of its other columns from headers alone. It
reads a column when it is asked for. Objects that Python would unpickle are refused.
"""

import math
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from trainable.data.embedding_columns import COLUMNS, check_names, column_name
from trainable.data.embedding_csv import CsvTable
from trainable.data.npy_header import read_header, reading
from trainable.data.ratings import numbered
from trainable.errors import DataError

FEATURES = "features"
CHUNK = 8192
"""Rows that are read at once where features cannot be mapped."""


class Source(ABC):
    """Embeddings in files.

    Attributes:
        path: the file or folder.
        files: all files that it consists of.
        shape: (rows, features).
        dtype: float16 or float32.
        columns: names of the columns that exist, without the features.
    """

    path: Path
    files: list[Path]
    shape: tuple[int, int]
    dtype: np.dtype
    columns: frozenset[str]

    @property
    def annotators(self) -> tuple[str, ...]:
        """Names of the annotators of the column `annotators`."""
        shape, _ = self.described("annotators")
        return numbered(math.prod(shape[1:]))

    @property
    def order(self) -> dict[str, tuple[str, ...]]:
        """Names by position, which all files of a folder need in the same order.

        Keys say what the names are: `annotator`, `class`, or `column of features`.
        """
        found = {}
        if "annotators" in self.columns:
            found["annotator"] = self.annotators
        if "classes" in self.columns:
            found["class"] = tuple(str(name) for name in decoded(self.column("classes")).tolist())
        return found

    @abstractmethod
    def column(self, name: str) -> np.ndarray:
        """Return a column, (rows,), or (rows, annotators) of `annotators`. Raises DataError."""

    @abstractmethod
    def described(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        """Return shape and type of a column, without reading it. Raises DataError."""

    def check(self, name: str) -> None:
        """Check a column without reading it.

        Raises:
            DataError: it is neither whole numbers nor text, or has another number of rows than the
                features.
        """
        shape, kind = self.described(name)
        dimensions = 1
        expected = "one a row"
        if name == "annotators":
            dimensions = 2
            expected = "a column for each annotator"
        elif len(shape) == 2 and shape[1] == 1:
            shape = shape[:1]
        if len(shape) != dimensions or kind.kind not in "iuUS":
            raise DataError(
                f"{self.path}: {name} is {kind} {shape}; expected whole numbers or text, {expected}"
            )
        if shape[0] != self.shape[0]:
            raise DataError(
                f"{self.path} has {self.shape[0]} rows of features, and {shape[0]} of {name}; both "
                "need the same rows in the same order"
            )

    def mapped(self) -> np.ndarray | None:
        """Return the features memory-mapped, (rows, bytes) uint8; None: they must be converted."""
        return None

    @abstractmethod
    def chunks(self) -> Iterator[np.ndarray]:
        """Yield the features in order, (some rows, features). Raises DataError."""

    def place(self, row: int) -> str:
        """Return where a row is, for messages."""
        return f"row {row}"


def decoded(values: np.ndarray) -> np.ndarray:
    """Return texts that are stored as bytes as text; other arrays as they are."""
    if values.dtype.kind != "S":
        return values
    return np.char.decode(values, "utf-8", "backslashreplace")


def _plain_header(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], np.dtype]:
    """Return shape and type of an array. Raises DataError for pickled objects, ValueError."""
    shape, kind = read_header(stream, where)
    if kind.hasobject:
        raise DataError(
            f"{where} holds pickled Python objects, which are not read. Save numbers, or text as "
            "np.array(values, dtype=str)"
        )
    return shape, kind


def _checked(shape: tuple[int, ...], kind: np.dtype, where: str) -> tuple[int, int]:
    """Return the shape (rows, features) of features. Raises DataError for other arrays."""
    right_kind = kind.kind == "f" and kind.itemsize in (2, 4) and kind.isnative
    if len(shape) != 2 or not right_kind or min(shape) < 1:
        hint = ""
        if len(shape) == 2 and kind.kind in "fiu" and min(shape) > 0:
            hint = ". Save features.astype(np.float32), or np.float16 for half the size"
        raise DataError(
            f"{where} is {kind} {shape}; expected float16 or float32 (rows, features){hint}"
        )
    return shape[0], shape[1]


def _of_file(path: Path, offset: int, shape: tuple[int, int], kind: np.dtype) -> np.ndarray:
    """Memory-map features as bytes (rows, bytes); an offset need not be a multiple of their size.

    The map is copy-on-write, because torch warns of read-only memory. Nothing is written to it.
    """
    row = shape[1] * kind.itemsize
    return np.memmap(path, np.uint8, "c", offset, (shape[0], row))


class NpzSource(Source):
    """Arrays in one file; those that are stored without compression are mapped."""

    def __init__(self, path: Path):
        self.path = path
        self.files = [path]
        with reading(path, "the file"), zipfile.ZipFile(path) as archive:
            members = [name.removesuffix(".npy") for name in archive.namelist()]
        check_names(path, members)
        self._members = {column_name(name): name for name in members if name != FEATURES}
        self.columns = frozenset(self._members) & COLUMNS
        where = f"{path}: features"
        if FEATURES not in members:
            present = ", ".join(members) or "none"
            raise DataError(f"{path}: the array `{FEATURES}` is missing; it has {present}")
        with self._member(FEATURES) as stream:
            shape, self.dtype = _plain_header(stream, where)
            self._header_size = stream.tell()
        self.shape = _checked(shape, self.dtype, where)

    @contextmanager
    def _member(self, name: str) -> Iterator[IO[bytes]]:
        with (
            reading(self.path, name),
            zipfile.ZipFile(self.path) as archive,
            archive.open(f"{name}.npy") as stream,
        ):
            yield stream

    def described(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        """Return shape and type of an array. Raises DataError."""
        member = self._members[name]
        with self._member(member) as stream:
            return _plain_header(stream, f"{self.path}: {member}")

    def column(self, name: str) -> np.ndarray:
        """Return a column. Raises DataError."""
        member = self._members[name]
        with self._member(member) as stream:
            _plain_header(stream, f"{self.path}: {member}")
            stream.seek(0)
            return np.asarray(npy.read_array(stream, allow_pickle=False))

    def mapped(self) -> np.ndarray | None:
        """Return the features memory-mapped; None: they are compressed."""
        with reading(self.path, FEATURES), zipfile.ZipFile(self.path) as archive:
            info = archive.getinfo(f"{FEATURES}.npy")
            if info.compress_type != zipfile.ZIP_STORED:
                return None
            with self.path.open("rb") as file:
                # The local header is 30 bytes, the name and an extra field of its own length.
                file.seek(info.header_offset + 26)
                lengths = np.frombuffer(file.read(4), "<u2")
            start = info.header_offset + 30 + int(lengths.sum()) + self._header_size
            size = self.shape[0] * self.shape[1] * self.dtype.itemsize
            if info.file_size != self._header_size + size:
                raise DataError(
                    f"{self.path}: {FEATURES} has {info.file_size - self._header_size} bytes, and "
                    f"its header says {size}: the file is damaged"
                )
            return _of_file(self.path, start, self.shape, self.dtype)

    def chunks(self) -> Iterator[np.ndarray]:
        """Yield the features in order."""
        rows, width = self.shape
        with self._member(FEATURES) as stream:
            _plain_header(stream, f"{self.path}: {FEATURES}")
            for start in range(0, rows, CHUNK):
                count = min(CHUNK, rows - start)
                size = count * width * self.dtype.itemsize
                content = stream.read(size)
                if len(content) < size:
                    raise DataError(f"{self.path}: {FEATURES} ends too early")
                yield np.frombuffer(content, self.dtype).reshape(count, width)


class NpySource(Source):
    """Features in an array, which is mapped; a table has the other columns."""

    def __init__(self, path: Path, table: CsvTable | None):
        self.path = path
        self.files = [path] if table is None else [path, table.path]
        self._table = table
        self.columns = frozenset() if table is None else table.columns
        with reading(path, "the array"), path.open("rb") as stream:
            shape, self.dtype = _plain_header(stream, str(path))
            self._offset = stream.tell()
            found = stream.seek(0, 2) - self._offset
        self.shape = _checked(shape, self.dtype, str(path))
        size = self.shape[0] * self.shape[1] * self.dtype.itemsize
        if found != size:
            raise DataError(
                f"{path} has {found} bytes of features, and its header says {size} "
                f"({self.shape[0]} rows): the file is truncated or damaged"
            )
        if table is not None and table.rows != self.shape[0]:
            raise DataError(
                f"{path} has {self.shape[0]} rows of features, and {table.path} has {table.rows} "
                "rows of labels; both need the same rows in the same order"
            )

    def described(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        """Return shape and type of a column."""
        assert self._table is not None
        return self._table.described(name)

    def column(self, name: str) -> np.ndarray:
        """Return a column. Raises DataError."""
        assert self._table is not None
        return self._table.column(name)

    @property
    def annotators(self) -> tuple[str, ...]:
        """Names of the annotators, from the table."""
        assert self._table is not None
        return self._table.annotators

    def mapped(self) -> np.ndarray:
        """Return the features memory-mapped."""
        return _of_file(self.path, self._offset, self.shape, self.dtype)

    def chunks(self) -> Iterator[np.ndarray]:
        """Yield the features in order."""
        features = self.mapped()
        for start in range(0, len(features), CHUNK):
            yield features[start : start + CHUNK].view(self.dtype)

    def place(self, row: int) -> str:
        """Return where a row is, with the line of the table."""
        return f"row {row}" if self._table is None else f"row {row} ({self._table.place(row)})"
