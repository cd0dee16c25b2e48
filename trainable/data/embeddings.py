"""Embeddings as a data set: features with labels by name or number, splits, ids, annotators."""

from pathlib import Path

import numpy as np

from trainable.config.embeddings import Embeddings
from trainable.config.test_set import TestLabels
from trainable.data.arrays import Arrays, Split, kept
from trainable.data.embedding_arrays import Source
from trainable.data.embedding_files import open_source
from trainable.data.embedding_labels import Cells, RowLabels
from trainable.data.features import Features, moments, open_features
from trainable.data.held_out import (
    Tested,
    as_declared,
    check_not_training,
    held_out,
    trust_in_test,
)
from trainable.data.images import digest
from trainable.errors import DataError
from trainable.storage.wording import first_names

SPLITS = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
    "testing": "test",
}
"""Values of the column `split`, and the split that each means."""


def load(path: Path, data: Embeddings, labels: Path | None, place: Path | None = None) -> Arrays:
    """Read embeddings; without a test set, hold out a part of the training rows.

    Args:
        path: the file or folder.
        data: fields of the data set.
        labels: table of labels of `.npy` files; None: the default.
        place: folder that trials on this machine share; None: there is none.

    Raises:
        DataError: the files are damaged or do not fit together, or a row cannot be used.
    """
    features = open_features(path, labels, place)
    source = features.source
    table = RowLabels(source)
    parts = _rows_of_splits(source)
    names = _names(source, parts)
    trained = parts["train"]
    table.check_classes(trained)

    def split(rows: np.ndarray) -> Split:
        return Split(
            features.only(rows),
            table.true[rows],
            table.given[rows] if table.true_known else None,
            None if names is None else names[rows],
            None if table.ratings is None else table.ratings.only(rows),
        )

    train = split(trained)
    assert isinstance(train.images, Features)
    validation = split(parts["validation"]) if len(parts["validation"]) else None
    held = None
    if len(parts["test"]):
        tested_rows = parts["test"]
        test = Split(
            features.only(tested_rows),
            table.best(tested_rows),
            None,
            None if names is None else names[tested_rows],
        )
        check_not_training(features.digests[tested_rows], train.images.contents, str(path), "rows")
    else:
        held = held_out(train.start, train.images.contents, data.test_fraction)
        tested_rows = trained[held]
        test = train.only(held)
    trust = _trust(data, table, tested_rows, held is None)
    true_labels = f"{path} has true_labels, so labels are the given ones"
    train, validation = as_declared(train, validation, data, true_labels)
    mean, std = moments(features.only(trained), kept(len(trained), held))
    return Arrays(
        train,
        validation,
        test,
        table.classes,
        tuple(mean.tolist()),
        tuple(std.tolist()),
        table.class_names,
        held_out=held,
        test_labels=trust,
    )


def tested(path: Path, data: Embeddings, labels: Path | None) -> Tested:
    """Return what the test set is.

    Features are read only if it decides which rows are held out whether their labels are trusted.

    Raises:
        DataError: the files are damaged.
    """
    source = open_source(path, labels)
    table = RowLabels(source)
    parts = _rows_of_splits(source)
    rows = parts["test"]
    if len(rows):
        return Tested(True, len(rows), _trust(data, table, rows, True), "rows")
    trained = parts["train"]
    rows = trained
    if data.test_labels is None and table.true_known and _some_unknown(table.true[trained]):
        rows = trained[
            held_out(table.given[trained], _contents(source)[trained], data.test_fraction)
        ]
    count = round(data.test_fraction * len(trained))
    return Tested(False, count, _trust(data, table, rows, False), "rows")


def _some_unknown(labels: np.ndarray) -> bool:
    """Return whether some of the labels are unknown, and others known."""
    unknown = labels < 0
    return bool(unknown.any() and not unknown.all())


def _contents(source: Source) -> np.ndarray:
    """Return numbers (rows,) that are equal where vectors are."""
    chunks = (np.ascontiguousarray(chunk) for chunk in source.chunks())
    return np.array([digest(row.tobytes()) for chunk in chunks for row in chunk], np.uint64)


def _trust(data: Embeddings, table: RowLabels, rows: np.ndarray, has_test: bool) -> TestLabels:
    """Return whether the labels of test rows are trusted.

    They are unchecked if the data have true labels, but not those of all test rows.
    """
    if not table.true_known:
        return trust_in_test(data, has_test, true_known=False)
    known = bool((table.true[rows] >= 0).all())
    return trust_in_test(data, known, known)


def _rows_of_splits(source: Source) -> dict[str, np.ndarray]:
    """Return the rows of each split, sorted; without a column `split`, all rows are trained on.

    Raises:
        DataError: a split has another name, or there is no training row.
    """
    rows = np.arange(source.shape[0])
    if "split" not in source.columns:
        return {"train": rows, "validation": rows[:0], "test": rows[:0]}
    cells = Cells.of(source, "split")
    written = np.char.lower(cells.values.astype(str))
    found = {split: np.zeros(len(rows), bool) for split in ("train", "validation", "test")}
    for value in np.unique(written).tolist():
        same = written == value
        if value not in SPLITS:
            where = source.place(int(np.flatnonzero(same)[0]))
            raise DataError(
                f"{source.path}: {where}: the split is `{value}`; expected train, validation or "
                "test"
            )
        found[SPLITS[value]] |= same
    if not found["train"].any():
        raise DataError(f"{source.path}: no row has the split train")
    return {split: rows[chosen] for split, chosen in found.items()}


def _names(source: Source, parts: dict[str, np.ndarray]) -> np.ndarray | None:
    """Return the name of each row as bytes: its id, its path, or its number in the file.

    None: there are no ids and no splits, so that rows are training rows.

    Raises:
        DataError: two rows have the same id, or one is not valid Unicode.
    """
    for column in ("ids", "paths"):
        if column not in source.columns:
            continue
        values = Cells.of(source, column).values.astype(str)
        different, first, counts = np.unique(values, return_index=True, return_counts=True)
        if len(different) == len(values):
            return _encoded(values, source, column)
        if column == "ids":
            at = first[counts > 1].min()
            same = [source.place(row) for row in np.flatnonzero(values == values[at]).tolist()]
            raise DataError(
                f"{source.path}: {int((counts > 1).sum())} ids are not unique; `{values[at]}` is "
                f"the id of {first_names(same)}"
            )
    if len(parts["train"]) == source.shape[0]:
        return None
    return np.arange(source.shape[0]).astype(str).astype(np.bytes_)


def _encoded(names: np.ndarray, source: Source, column: str) -> np.ndarray:
    """Return names (rows,) as bytes. Raises DataError if one is not valid Unicode."""
    try:
        return np.char.encode(names, "utf-8")
    except UnicodeEncodeError as error:
        row = int(np.flatnonzero(names == error.object)[0])
        raise DataError(
            f"{source.path}: {source.place(row)}: {column} has {str(error.object)!a}; expected "
            "text that is valid Unicode"
        ) from None
