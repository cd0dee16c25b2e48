"""Files with the labels of several annotators: tables with a column for each, and arrays."""

import csv
from pathlib import Path

import numpy as np

from trainable.data.arrays import Split
from trainable.data.class_labels import ClassLabels
from trainable.data.noise_files import check_positions, expected_labels, key_column, lines, reading
from trainable.data.ratings import NONE, Ratings, numbered
from trainable.errors import DataError

FORMS = (
    "a table with the column file or index and a column of labels for each annotator (.csv), or an "
    "integer array (images, annotators) (.npy)"
)


def read_ratings(
    path: Path,
    split: Split,
    classes: int,
    class_names: tuple[str, ...] = (),
    expected: str | None = None,
) -> Ratings:
    """Read the labels of several annotators for the training split.

    In a table, the name of a column is the annotator's; an empty cell is no label. Rows that it
    omits have no labels.

    Args:
        path: the file.
        split: the training split.
        classes: number of classes.
        class_names: their names; () if the data set has none.
        expected: `labels_hash` of the file when the study was read; None: any labels are right.

    Raises:
        DataError: the file is missing or wrong; the message has the line or row.
    """
    known = ClassLabels(class_names, classes)
    with reading(path, FORMS, "labels of annotators", expected):
        match path.suffix.lower():
            case ".csv":
                ratings = _table(path, split, known, class_names)
            case ".npy":
                check_positions(path, known)
                labels = np.load(path, allow_pickle=False)
                ratings = from_array(labels, len(split), classes, str(path))
    return ratings


def from_array(labels: np.ndarray, n: int, classes: int, where: str) -> Ratings:
    """Return the labels (n, annotators) of an array, −1 for no label; `where` is its name.

    Raises:
        DataError: it has another shape or type, or a label outside the classes.
    """
    fits = labels.ndim == 2 and len(labels) == n and labels.shape[1] > 0
    if not fits or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{where} is {labels.dtype} {labels.shape}; expected integers ({n}, annotators), one "
            "row for each training image"
        )
    labels = labels.astype(np.int64)
    outside = np.argwhere((labels < NONE) | (labels >= classes))
    if len(outside):
        row, column = outside[0]
        raise DataError(
            f"{where}: row {row} has the label {labels[row, column]} by annotator {column + 1}; "
            f"classes are 0 to {classes - 1}, and −1 is no label"
        )
    return Ratings(labels, numbered(labels.shape[1]))


def _table(path: Path, split: Split, known: ClassLabels, class_names: tuple[str, ...]) -> Ratings:
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        columns = list(table.fieldnames or [])
        key = key_column(columns)
        annotators = tuple(name for name in columns if name != key)
        if key is None or not annotators or len(set(columns)) < len(columns):
            raise DataError(
                f"{path}: the first line is {','.join(columns)}; expected file or index, and a "
                "column for each annotator, all with different names"
            )
        labels = np.full((len(split), len(annotators)), NONE)
        for where, row, cells in lines(path, table, key, split):
            for column, annotator in enumerate(annotators):
                label = (cells[annotator] or "").strip()
                position = known.position(label) if label else NONE
                if position is None:
                    raise DataError(
                        f"{where}: {annotator}: `{label}` is not a class; "
                        f"{expected_labels(class_names, known.classes)}, or nothing"
                    )
                labels[row, column] = position
    return Ratings(labels, annotators)
