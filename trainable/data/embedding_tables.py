"""Tables of embeddings: `.csv` with labels, `.parquet` with features and labels."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from trainable.errors import DataError

COLUMNS = frozenset(
    ("labels", "true_labels", "ids", "split", "paths", "text", "classes", "annotators")
)
"""Columns next to the features."""
DESCRIPTIONS = frozenset(("text", "paths"))
"""Columns that show samples. Their cells may be long, so a table keeps them as objects."""
TEXT = np.dtype(np.str_)
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


def check_names(path: Path, written: Iterable[str]) -> None:
    """Raise DataError if two names of a file mean the same column."""
    of_column: dict[str, str] = {}
    for name in written:
        column = column_name(name)
        if column in of_column:
            raise DataError(
                f"{path} has {of_column[column]} and {name}, two names of the same column; keep "
                "one of them"
            )
        of_column[column] = name


def _refuse_classes(path: Path, column: str) -> None:
    """Raise DataError for the column `classes`: a table has a cell a row, and not one a class."""
    if column == "classes":
        raise DataError(
            f"{path}: names of classes are read from the array `classes` of an .npz file only. "
            "Remove this column, and write the names in the column label"
        )


def _texts(column: str, cells: Sequence[str]) -> np.ndarray:
    """Return the texts of a column, as long as the longest; descriptions as objects."""
    return np.array(cells, dtype=object if column in DESCRIPTIONS else str)


class CsvTable:
    """A table of labels; every row describes the features of the same position.

    Raises:
        DataError: the file is missing, or is no table; the message has the line.
    """

    def __init__(self, path: Path):
        self.path = path
        written: list[str] = []
        columns: list[list[str]] = []
        self._line_numbers: list[int] = []
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                reader = csv.reader(file)
                written = next(reader, [])
                columns = [[] for _ in written]
                for cells in reader:
                    if not cells:
                        continue
                    if len(cells) != len(written):
                        raise DataError(
                            f"{path}:{reader.line_num}: the row has {len(cells)} cells, and the "
                            f"first line has {len(written)} columns"
                        )
                    for column, cell in zip(columns, cells, strict=True):
                        column.append(cell)
                    self._line_numbers.append(reader.line_num)
        except FileNotFoundError:
            raise DataError(
                f"{path} does not exist; expected a table with the column label, and a row for "
                "each row of features"
            ) from None
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{path} cannot be read as a table (.csv): {error}") from None
        stripped = [name.strip() for name in written]
        check_names(path, stripped)
        names = [column_name(name) for name in stripped]
        self._annotators = annotator_columns(names)
        self.annotators = annotator_names(self._annotators)
        self._columns = {
            name: _texts(name, cells)
            for name, cells in zip(names, columns, strict=True)
            if name in COLUMNS or name in self._annotators
        }
        self.rows = len(self._line_numbers)
        found = set(names) & COLUMNS
        if self._annotators:
            found.add("annotators")
        if not found & {"labels", "annotators"}:
            raise DataError(
                f"{path}: the first line is {','.join(written)}; expected the column label"
            )
        self.columns = frozenset(found)

    def described(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        """Return shape and type of a column."""
        shape = (self.rows,)
        return (*shape, len(self._annotators)) if name == "annotators" else shape, TEXT

    def column(self, name: str) -> np.ndarray:
        """Return a column of text, (rows,), or (rows, annotators). Raises DataError."""
        _refuse_classes(self.path, name)
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
        check_names(path, schema.names)
        self._written = {column_name(name): name for name in schema.names}
        self._annotators = annotator_columns(schema.names)
        self.annotators = annotator_names(self._annotators)
        self.columns = frozenset(self._written) & COLUMNS
        if self._annotators:
            self.columns |= {"annotators"}
        self._lists = "features" in schema.names
        self.features = ["features"] if self._lists else self._numbers(schema)
        rows = self._file.metadata.num_rows
        with self._damage_told():
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

    def described(self, name: str) -> tuple[tuple[int, ...], np.dtype]:
        """Return shape and type of a column. Raises DataError if it is no numbers or text."""
        rows = self.shape[0]
        if name != "annotators":
            return (rows,), self._kind(self._written[name])
        kinds = {self._kind(each) for each in self._annotators}
        return (rows, len(self._annotators)), TEXT if TEXT in kinds else kinds.pop()

    def _kind(self, written: str) -> np.dtype:
        """Return int64 or text, the type of a column. Raises DataError for others."""
        types = self._arrow.types
        kind = self._file.schema_arrow.field(written).type
        if types.is_dictionary(kind):
            kind = kind.value_type
        if types.is_integer(kind):
            return np.dtype(np.int64)
        if types.is_string(kind) or types.is_large_string(kind):
            return TEXT
        raise DataError(f"{self.path}: {written} is {kind}; expected whole numbers or text")

    def column(self, name: str) -> np.ndarray:
        """Return a column of numbers or text, (rows,), or (rows, annotators). Raises DataError."""
        _refuse_classes(self.path, name)
        if name == "annotators":
            return np.stack([self._read(each) for each in self._annotators], 1)
        return self._read(self._written[name])

    def _read(self, written: str) -> np.ndarray:
        kind = self._kind(written)
        with self._damage_told():
            column = self._file.read([written]).column(0)
        if self._arrow.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if kind == TEXT:
            return _texts(column_name(written), [text or "" for text in column.to_pylist()])
        if column.null_count:
            try:
                column = column.cast(self._arrow.int64()).fill_null(-1)
            except self._arrow.ArrowInvalid as error:
                raise DataError(
                    f"{self.path}: {written} cannot be read: {error}; expected numbers of classes"
                ) from None
        return np.asarray(column.to_numpy())

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
