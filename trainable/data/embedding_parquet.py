"""A `.parquet` file with features and labels."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from trainable.data.embedding_arrays import CHUNK, Source
from trainable.data.embedding_columns import (
    COLUMNS,
    TEXT,
    annotator_columns,
    annotator_names,
    check_names,
    column_name,
    refuse_classes,
    texts,
)
from trainable.errors import DataError


class ParquetSource(Source):
    """A table with features, which is converted.

    It has one column `features` of lists, or one column for each feature: then columns of
    floating-point numbers whose names have no other meaning are features, in their order.

    Raises:
        DataError: the file is damaged, or has no features.
    """

    def __init__(self, path: Path):
        # The import takes a third of a second, and few data sets need it.
        import pyarrow
        from pyarrow import parquet

        self._arrow = pyarrow
        self.path = path
        self.files = [path]
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
        self.columns = frozenset(self._written) & COLUMNS
        if self._annotators:
            self.columns |= {"annotators"}
        self._lists = "features" in schema.names
        self._features = ["features"] if self._lists else self._numbers(schema)
        rows = self._file.metadata.num_rows
        with self._damage_told():
            first = next(self._file.iter_batches(1, columns=self._features), None)
        if not self._features or first is None or not len(first):
            raise DataError(
                f"{path} has no features: expected a column `features` of lists, or a column of "
                f"floating-point numbers for each feature; it has {', '.join(schema.names)}"
            )
        width = len(self._features)
        kind = schema.field(self._features[0]).type
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
        refuse_classes(self.path, name)
        if name == "annotators":
            return np.stack([self._read(each) for each in self._annotators], 1)
        return self._read(self._written[name])

    @property
    def annotators(self) -> tuple[str, ...]:
        """Names of the annotators."""
        return annotator_names(self._annotators)

    @property
    def order(self) -> dict[str, tuple[str, ...]]:
        """Names by position: also those of the columns of features."""
        return {"column of features": tuple(self._features), **super().order}

    def _read(self, written: str) -> np.ndarray:
        kind = self._kind(written)
        with self._damage_told():
            column = self._file.read([written]).column(0)
        if self._arrow.types.is_dictionary(column.type):
            column = column.cast(column.type.value_type)
        if kind == TEXT:
            return texts(column_name(written), [text or "" for text in column.to_pylist()])
        if column.null_count:
            try:
                column = column.cast(self._arrow.int64()).fill_null(-1)
            except self._arrow.ArrowInvalid as error:
                raise DataError(
                    f"{self.path}: {written} cannot be read: {error}; expected numbers of classes"
                ) from None
        return np.asarray(column.to_numpy())

    def chunks(self) -> Iterator[np.ndarray]:
        """Yield the features in order, (some rows, features). Raises DataError."""
        start = 0
        with self._damage_told():
            for batch in self._file.iter_batches(CHUNK, columns=self._features):
                yield self._block(batch, start)
                start += len(batch)

    def _block(self, batch: Any, start: int) -> np.ndarray:
        width = self.shape[1]
        if not self._lists:
            columns = [batch.column(name).to_numpy(zero_copy_only=False) for name in self._features]
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
