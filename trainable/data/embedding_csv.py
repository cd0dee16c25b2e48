"""A `.csv` table with the labels of embeddings."""

import csv
from pathlib import Path

import numpy as np

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
            name: texts(name, cells)
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
        refuse_classes(self.path, name)
        if name == "annotators":
            return np.stack([self._columns[each] for each in self._annotators], 1)
        return self._columns[name]

    def place(self, row: int) -> str:
        """Return where a row is."""
        return f"{self.path.name}:{self._line_numbers[row]}"
