"""The columns that describe embeddings: their names, and what they may hold."""

from collections.abc import Iterable, Sequence
from pathlib import Path

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


def refuse_classes(path: Path, column: str) -> None:
    """Raise DataError for the column `classes`: a table has a cell a row, and not one a class."""
    if column == "classes":
        raise DataError(
            f"{path}: names of classes are read from the array `classes` of an .npz file only. "
            "Remove this column, and write the names in the column label"
        )


def texts(column: str, cells: Sequence[str]) -> np.ndarray:
    """Return the texts of a column, as long as the longest; descriptions as objects."""
    return np.array(cells, dtype=object if column in DESCRIPTIONS else str)
