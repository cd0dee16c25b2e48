"""Tables of embeddings: `.csv` with labels, `.parquet` with features and labels."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from trainable.errors import DataError

COLUMNS = frozenset(
    ("labels", "true_labels", "ids", "split", "paths", "text", "classes", "annotators")
)
"""Columns next to the features."""
SINGULAR = {
    "label": "labels",
    "true_label": "true_labels",
    "id": "ids",
    "path": "paths",
    "texts": "text",
    "splits": "split",
}
"""Other names of columns."""
ANNOTATOR = "label_"
"""Start of the name of a column with the labels of one annotator."""
FORMS = (
    "an .npz file with the arrays features and labels, a .npy file of features with a labels.csv, "
    "a .parquet file, or a folder of files of one of these kinds"
)


def column_name(written: str) -> str:
    """Return the name of a column as this program writes it."""
    return SINGULAR.get(written, written)


def annotator_columns(written: list[str]) -> list[str]:
    """Return the columns of single annotators."""
    return [name for name in written if name.startswith(ANNOTATOR)]


def annotator_names(columns: list[str]) -> tuple[str, ...]:
    """Return the names of annotators by their columns."""
    return tuple(name.removeprefix(ANNOTATOR) for name in columns)


class CsvTable:
    """A table of labels; every row describes the features of the same position.

    Raises:
        DataError: the file is missing, or is no table; the message has the line.
    """

    def __init__(self, path: Path):
        self.path = path
        written: list[str] = []
        lines: list[list[str]] = []
        self._line_numbers: list[int] = []
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file)
                written = next(reader, [])
                for cells in reader:
                    if not cells:
                        continue
                    if len(cells) != len(written):
                        raise DataError(
                            f"{path}:{reader.line_num}: the row has {len(cells)} cells, and the "
                            f"first line has {len(written)} columns"
                        )
                    lines.append(cells)
                    self._line_numbers.append(reader.line_num)
        except FileNotFoundError:
            raise DataError(
                f"{path} does not exist; expected a table with the column label, and a row for "
                "each row of features"
            ) from None
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path} cannot be read as a table (.csv): {error}") from None
        names = [column_name(name.strip()) for name in written]
        if len(set(names)) < len(names):
            raise DataError(f"{path}: two columns have the same name: {', '.join(names)}")
        cells_of = np.array(lines, dtype=str).reshape(len(lines), len(names)).T
        self._columns = dict(zip(names, cells_of, strict=True))
        self._annotators = annotator_columns(names)
        self.annotators = annotator_names(self._annotators)
        self.rows = len(lines)
        found = set(names) & COLUMNS
        if self._annotators:
            found.add("annotators")
        if not found & {"labels", "annotators"}:
            raise DataError(
                f"{path}: the first line is {','.join(written)}; expected the column label"
            )
        self.columns = frozenset(found)

    def column(self, name: str) -> np.ndarray:
        """Return a column of text, (rows,), or (rows, annotators)."""
        if name == "annotators":
            return np.stack([self._columns[each] for each in self._annotators], 1)
        return self._columns[name]

    def place(self, row: int) -> str:
        """Return where a row is."""
        return f"{self.path.name}:{self._line_numbers[row]}"


class ParquetTable:
    """A table with features: one column `features` of lists, or one column for each feature.

    Columns of floating-point numbers whose names have no other meaning are features, in the order
    of the file; `features` has their names.

    Raises:
        DataError: the file is damaged, or has no features.
    """

    def __init__(self, path: Path):
        # The import takes a third of a second, and few data sets need it.
        import pyarrow
        from pyarrow import parquet

        self._arrow = pyarrow
        self.path = path
        try:
            self._file = parquet.ParquetFile(path, memory_map=True)
        except OSError as error:
            raise DataError(f"{path} cannot be read: {error.strerror or error}") from None
        except pyarrow.ArrowException as error:
            raise DataError(f"{path} is no readable .parquet file: {error}") from None
        schema = self._file.schema_arrow
        self._written = {column_name(name): name for name in schema.names}
        self._annotators = annotator_columns(schema.names)
        self.annotators = annotator_names(self._annotators)
        self.columns = frozenset(self._written) & COLUMNS
        if self._annotators:
            self.columns |= {"annotators"}
        self._lists = "features" in schema.names
        self.features = ["features"] if self._lists else self._numbers(schema)
        rows = self._file.metadata.num_rows
        first = next(self._file.iter_batches(1, columns=self.features), None)
        if not self.features or first is None or not len(first):
            raise DataError(
                f"{path} has no features: expected a column `features` of lists, or a column of "
                f"floating-point numbers for each feature; it has {', '.join(schema.names)}"
            )
        width = len(self.features)
        kind = schema.field(self.features[0]).type
        if self._lists:
            if not hasattr(kind, "value_type") or first.column(0).null_count:
                raise DataError(f"{path}: features is {kind}; expected lists of numbers")
            width = len(first.column(0)[0].as_py())
            kind = kind.value_type
        if not pyarrow.types.is_floating(kind):
            raise DataError(f"{path}: features are {kind}; expected floating-point numbers")
        half = pyarrow.types.is_float16(kind)
        self.dtype = np.dtype(np.float16 if half else np.float32)
        self.shape = (rows, width)

    def _numbers(self, schema: Any) -> list[str]:
        """Return the columns of floating-point numbers without another meaning."""
        return [
            field.name
            for field in schema
            if self._arrow.types.is_floating(field.type) and column_name(field.name) not in COLUMNS
        ]

    def column(self, name: str) -> np.ndarray:
        """Return a column of numbers or text, (rows,), or (rows, annotators)."""
        if name == "annotators":
            return np.stack([self._read(each) for each in self._annotators], 1)
        return self._read(self._written[name])

    def _read(self, written: str) -> np.ndarray:
        with self._damage_told():
            column = self._file.read([written]).column(0)
        types = self._arrow.types
        if types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if types.is_integer(column.type):
            return np.asarray(column.fill_null(-1).to_numpy())
        if types.is_string(column.type) or types.is_large_string(column.type):
            return np.array([text or "" for text in column.to_pylist()], dtype=str)
        raise DataError(f"{self.path}: {written} is {column.type}; expected whole numbers or text")

    def chunks(self, rows: int) -> Iterator[np.ndarray]:
        """Yield the features in order, (at most `rows`, features). Raises DataError."""
        start = 0
        with self._damage_told():
            for batch in self._file.iter_batches(rows, columns=self.features):
                yield self._block(batch, start)
                start += len(batch)

    def _block(self, batch: Any, start: int) -> np.ndarray:
        width = self.shape[1]
        if not self._lists:
            columns = [batch.column(name).to_numpy(zero_copy_only=False) for name in self.features]
            return np.stack(columns, 1).astype(self.dtype)
        lists = batch.column(0)
        lengths = lists.value_lengths().fill_null(0).to_numpy(zero_copy_only=False)
        other = np.flatnonzero(lengths != width)
        if len(other):
            raise DataError(
                f"{self.path}: row {start + other[0]} has {lengths[other[0]]} features, and row 0 "
                f"has {width}"
            )
        values = lists.flatten().to_numpy(zero_copy_only=False)
        vectors: np.ndarray = values.reshape(len(lists), width).astype(self.dtype)
        return vectors

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        """Turn an error of pyarrow in the block into a sentence."""
        try:
            yield
        except (self._arrow.ArrowException, OSError) as error:
            raise DataError(f"{self.path} is damaged: {error}") from None
