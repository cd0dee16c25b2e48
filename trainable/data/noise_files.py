"""Files of given labels: three formats are read, the authors' format is written."""

import csv
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from trainable.config.given_labels import labels_hash
from trainable.config.trial import TrialConfig
from trainable.data.arrays import Split
from trainable.data.class_labels import ClassLabels, normal, unique, whole_number
from trainable.errors import DataError
from trainable.storage.spreadsheets import escaped, unescaped

FORMS = (
    "a JSON list of labels (.json), an integer array (.npy), or a table with file,label or "
    "index,label (.csv)"
)


def read_labels(
    path: Path,
    split: Split,
    classes: int,
    class_names: tuple[str, ...] = (),
    expected: str | None = None,
) -> np.ndarray:
    """Read a given label for every row of the training split, (n,) int64.

    JSON lists and arrays have the position of every row's class, in the order of the data set. A
    table can omit rows, which keep their labels; its labels are those of `ClassLabels`.

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
    with reading(path, FORMS, "given labels", expected):
        if path.suffix.lower() in (".json", ".npy"):
            check_positions(path, known)
        match path.suffix.lower():
            case ".json":
                content = json.loads(path.read_text(encoding="utf-8"))
                labels = _whole(
                    path, np.array(content if isinstance(content, list) else []), len(split)
                )
            case ".npy":
                labels = _whole(path, np.load(path, allow_pickle=False), len(split))
            case ".csv":
                labels = _table(path, split, known, class_names)
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        raise DataError(
            f"{path}: row {outside[0]} has the label {labels[outside[0]]}; classes are 0 to "
            f"{classes - 1}"
        )
    return labels


@contextmanager
def reading(path: Path, forms: str, content: str, expected: str | None) -> Iterator[None]:
    """Read a file of labels in the block; what goes wrong becomes a sentence.

    Args:
        path: the file.
        forms: the forms that it may have; suffixes are in parentheses.
        content: what it has, for messages.
        expected: `labels_hash` of the file when the study was read; None: any labels are right.

    Raises:
        DataError: the file is missing, wrong, or has other labels than expected.
    """
    if f"({path.suffix.lower()})" not in forms:
        raise DataError(f"{path}: {content} are {forms}")
    try:
        yield
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"noise.path: {path} does not exist; expected {forms}") from None
    except Exception as error:  # OSError, UnicodeDecodeError, ValueError, csv.Error
        raise DataError(f"{path} cannot be read as {forms}: {error}") from None
    if expected is not None and labels_hash(path) != expected:
        raise DataError(f"{path} has other labels than when the study was read. Run it again")


def write_labels(
    folder: Path, config: TrialConfig, given: np.ndarray, class_names: tuple[str, ...] = ()
) -> Path:
    """Write given labels (n,) as a JSON list, the authors' format, and return the file.

    Where the classes' names are other numbers than their positions, a list of numbers would be
    ambiguous, and a table is written. The authors' file names (`0.5_sym.json`) round the rate, so
    different rates can have the same name. The names here end with a hash of the labels.
    """
    rate = getattr(config.noise, "rate", None)
    digest = hashlib.sha256(np.ascontiguousarray(given, np.int64).data).hexdigest()[:8]
    parts = [
        config.data.name,
        config.noise.name,
        "" if rate is None else f"{rate:g}",
        f"seed{config.seed}",
        digest,
    ]
    folder.mkdir(parents=True, exist_ok=True)
    name = "_".join(filter(None, parts))
    if ClassLabels(class_names, len(class_names)).misnumbered:
        path = folder / f"{name}.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(["index", "label"])
            names = [escaped(name) for name in class_names]
            table.writerows([row, names[label]] for row, label in enumerate(given))
        return path
    path = folder / f"{name}.json"
    path.write_text(json.dumps(given.tolist()), encoding="utf-8")
    return path


def check_positions(path: Path, known: ClassLabels) -> None:
    """Raise DataError if the positions in a list could be taken for the classes' names."""
    if known.misnumbered:
        position, number = known.misnumbered
        raise DataError(
            f"{path}: a number in this file would be the position of a class, and the names of the "
            f"classes are other numbers: class `{number}` is at position {position}. Write a table "
            "with file,label or index,label (.csv), where labels are names"
        )


def _whole(path: Path, labels: np.ndarray, n: int) -> np.ndarray:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (n,) or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{path} has {labels.dtype} {labels.shape}; expected one integer for each of the {n} "
            "training images"
        )
    return labels.astype(np.int64)


def _table(
    path: Path, split: Split, known: ClassLabels, class_names: tuple[str, ...]
) -> np.ndarray:
    labels = split.start.copy()
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        columns = table.fieldnames or []
        key = key_column(columns)
        if key is None or "label" not in columns:
            raise DataError(
                f"{path}: the first line is {','.join(columns)}; expected file,label or index,label"
            )
        for where, row, cells in lines(path, table, key, split):
            label = cells["label"] or ""
            position = known.position(label)
            if position is None:
                raise DataError(
                    f"{where}: `{label}` is not a class; "
                    f"{expected_labels(class_names, known.classes)}"
                )
            labels[row] = position
    return labels


def key_column(columns: Sequence[str]) -> str | None:
    """Return the column of a table that names the image: `file` or `index`; None: none does."""
    return next((name for name in ("file", "index") if name in columns), None)


def lines(
    path: Path, table: "csv.DictReader[str]", key: str, split: Split
) -> Iterator[tuple[str, int, dict[str, str]]]:
    """Yield (`path:line`, row of the split, cells) of each line of a table.

    Args:
        path: the table, for messages.
        table: its lines.
        key: the column that names the image, see `key_column`.
        split: the training split.

    Raises:
        DataError: an image is unknown or listed twice.
    """
    rows = RowsByName(split)
    seen: set[int] = set()
    for cells in table:
        where = f"{path}:{table.line_num}"
        name = cells[key] or ""
        row = rows.find(name) if key == "file" else whole_number(name)
        if row is None or not 0 <= row < len(split):
            raise DataError(f"{where}: `{name}` is not among the {len(split)} training images")
        if row in seen:
            raise DataError(f"{where}: `{name}` is listed twice; keep one of the rows")
        seen.add(row)
        yield where, row, cells


def expected_labels(class_names: tuple[str, ...], classes: int) -> str:
    """Return which labels a table can have."""
    shown = ", ".join(class_names[:5]) + (", …" if len(class_names) > 5 else "")
    if not class_names:
        return f"expected a number from 0 to {classes - 1}"
    if any(whole_number(name) is not None for name in class_names):
        return f"expected one of the names {shown}"
    return f"expected a number from 0 to {classes - 1}, or one of {shown}"


class RowsByName:
    """The rows of a split by the names of their files, with and without their first folder.

    Without it, a name must be unique. Names are compared as they are, then without outer spaces and
    in Unicode's normal form NFC.
    """

    def __init__(self, split: Split):
        whole = []
        if split.names is not None:
            whole = [name.decode(errors="backslashreplace") for name in split.names]
        self._exact = unique((name.split("/", 1)[-1], row) for row, name in enumerate(whole))
        self._exact |= {name: row for row, name in enumerate(whole)}
        self._normal = unique((normal(name), row) for name, row in self._exact.items())

    def find(self, name: str) -> int | None:
        """Return the row of a file; None: there is no such file."""
        if name in self._exact:
            return self._exact[name]
        name = unescaped(name)
        return self._exact.get(name, self._normal.get(normal(name)))
