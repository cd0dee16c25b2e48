"""Files of embeddings: arrays `.npz` and `.npy`, tables `.parquet`, and folders of them."""

import math
import zipfile
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import numpy as np

from trainable.data.embedding_arrays import FEATURES, NpySource, NpzSource, Source
from trainable.data.embedding_columns import FORMS
from trainable.data.embedding_csv import CsvTable
from trainable.data.embedding_parquet import ParquetSource
from trainable.errors import DataError


def open_source(path: Path, labels: Path | None = None) -> Source:
    """Open a file or a folder of embeddings; only headers and tables are read.

    Args:
        path: `.npz`, `.npy`, `.parquet`, or a folder of files of one of these kinds.
        labels: the table of labels of `.npy` files; None: `labels.csv` next to them.

    Raises:
        DataError: there are no such files, or one is damaged; the message names it.
    """
    if path.is_dir():
        return _Folder(path, labels)
    match path.suffix.lower():
        case ".npz":
            return NpzSource(path)
        case ".npy":
            return NpySource(path, CsvTable(labels or path.with_name("labels.csv")))
        case ".parquet":
            return ParquetSource(path)
    raise DataError(f"{path} is no file of embeddings; expected {FORMS}")


def mapped_array(file: Path) -> np.ndarray:
    """Return the features of a `.npy` file memory-mapped, (rows, bytes) uint8. Raises DataError."""
    return NpySource(file, None).mapped()


def is_embeddings(path: Path) -> bool:
    """Return whether a path has embeddings, by its name and the names of its arrays.

    One file of a folder suffices: the others may be damaged, which is told when they are read.
    """
    if path.is_dir():
        folders = [each for each in path.iterdir() if each.is_dir() and each.name[0] != "."]
        shards = _shards(path)
        return not folders and any(map(is_embeddings, shards))
    if not path.is_file():
        return False
    if path.suffix.lower() in (".npy", ".parquet"):
        return True
    if path.suffix.lower() != ".npz":
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return f"{FEATURES}.npy" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def vectors_of(path: Path) -> Iterator[tuple[Path, np.ndarray]]:
    """Yield each file of a path with its features, (some rows, features); no labels are needed.

    Raises:
        DataError: a file is damaged, or has no embeddings.
    """
    for file in _shards(path) if path.is_dir() else [path]:
        source: Source
        if file.suffix.lower() == ".npy":
            source = NpySource(file, None)
        else:
            source = open_source(file)
        for chunk in source.chunks():
            yield file, chunk


class _Folder(Source):
    """Files of one kind, in the order of their names, as one source."""

    def __init__(self, path: Path, labels: Path | None):
        self.path = path
        shards = _shards(path)
        if not shards:
            raise DataError(f"{path} has no files of embeddings; expected {FORMS}")
        kinds = sorted({file.suffix.lower() for file in shards})
        if len(kinds) > 1:
            raise DataError(f"{path} has files {' and '.join(kinds)}; expected one kind")
        self._table: CsvTable | None = None
        self._parts: list[Source]
        if kinds == [".npy"]:
            self._table = CsvTable(labels or path / "labels.csv")
            self._parts = [NpySource(file, None) for file in shards]
        else:
            self._parts = [open_source(file) for file in shards]
        self.files = [file for part in self._parts for file in part.files]
        first = self._parts[0]
        for part in self._parts[1:]:
            self._check_alike(first, part)
        rows = sum(part.shape[0] for part in self._parts)
        self.shape = (rows, first.shape[1])
        self.dtype = first.dtype
        self.columns = first.columns
        if self._table is not None:
            self.files.append(self._table.path)
            self.columns = self._table.columns
            if self._table.rows != rows:
                raise DataError(
                    f"{path} has {rows} rows of features in {len(shards)} files, and "
                    f"{self._table.path} has {self._table.rows} rows of labels"
                )

    def _check_alike(self, first: Source, part: Source) -> None:
        """Raise DataError if two files have other features, other columns or another order."""
        if (first.shape[1], first.dtype) != (part.shape[1], part.dtype):
            raise DataError(
                f"{part.path} has {part.shape[1]} features of {part.dtype}, and {first.path} "
                f"{first.shape[1]} of {first.dtype}; all files need the same"
            )
        if first.columns != part.columns:
            other = ", ".join(sorted(first.columns ^ part.columns))
            raise DataError(f"only one of {first.path} and {part.path} has: {other}")
        for what, names in first.order.items():
            pairs = zip_longest(names, part.order[what], fillvalue="absent")
            for number, (name, other) in enumerate(pairs, 1):
                if name != other:
                    raise DataError(
                        f"{what} {number} is {other} in {part.path}, and {name} in {first.path}; "
                        "all files need the same ones in the same order"
                    )

    def described(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        if self._table is not None:
            return self._table.described(name)
        shapes = []
        kinds = []
        for part in self._parts:
            shape, kind = part.described(name)
            if shape[:1] != part.shape[:1]:
                raise DataError(
                    f"{part.path}: {name} has {math.prod(shape[:1])} rows, and features "
                    f"{part.shape[0]}"
                )
            shapes.append(shape)
            kinds.append(kind)
        if len({kind.kind for kind in kinds}) > 1:
            raise DataError(f"{self.path}: {name} is numbers in some files and text in others")
        if len({shape[1:] for shape in shapes}) > 1:
            raise DataError(f"{self.path}: {name} has other columns in some files than in others")
        return (self.shape[0], *shapes[0][1:]), kinds[0]

    def column(self, name: str) -> np.ndarray:
        if self._table is not None:
            return self._table.column(name)
        if name == "classes":
            return self._parts[0].column(name)
        self.described(name)
        return np.concatenate([part.column(name) for part in self._parts])

    @property
    def annotators(self) -> tuple[str, ...]:
        return self._parts[0].annotators if self._table is None else self._table.annotators

    def mapped(self) -> np.ndarray | None:
        return self._parts[0].mapped() if len(self._parts) == 1 else None

    def chunks(self) -> Iterator[np.ndarray]:
        for part in self._parts:
            yield from part.chunks()

    def place(self, row: int) -> str:
        if self._table is not None:
            return f"row {row} ({self._table.place(row)})"
        left = row
        for part in self._parts:
            if left < part.shape[0]:
                return f"row {row} ({part.path.name}, row {left})"
            left -= part.shape[0]
        return f"row {row}"


def _shards(folder: Path) -> list[Path]:
    """Return the files of embeddings in a folder, sorted by name; hidden ones are left out."""
    kinds = (".npz", ".npy", ".parquet")
    return [
        file
        for file in sorted(folder.iterdir())
        if file.is_file() and file.suffix.lower() in kinds and not file.name.startswith(".")
    ]
