"""Files of given labels: three formats are read, the authors' format is written."""

import csv
import hashlib
import json
from pathlib import Path

import numpy as np

from trainable.config.trial import TrialConfig
from trainable.data.arrays import Split
from trainable.errors import DataError

FORMS = (
    "a JSON list of labels (.json), an integer array (.npy), or a table with file,label or "
    "index,label (.csv)"
)


def read_labels(
    path: Path, split: Split, classes: int, class_names: tuple[str, ...] = ()
) -> np.ndarray:
    """Read a given label for every row of the training split, (n,) int64.

    JSON lists and arrays have every row, in the order of the data set. A table can omit rows, which
    keep their labels, and can use class names.

    Raises:
        DataError: the file is missing or wrong; the message has the line or row.
    """
    try:
        match path.suffix.lower():
            case ".json":
                content = json.loads(path.read_text(encoding="utf-8"))
                labels = _whole(
                    path, np.array(content if isinstance(content, list) else []), len(split)
                )
            case ".npy":
                labels = _whole(path, np.load(path, allow_pickle=False), len(split))
            case ".csv":
                labels = _table(path, split, class_names)
            case _:
                raise DataError(f"{path}: given labels are {FORMS}")
    except DataError:
        raise
    except FileNotFoundError:
        raise DataError(f"noise.path: {path} does not exist; expected {FORMS}") from None
    except Exception as error:  # OSError, UnicodeDecodeError, ValueError, csv.Error
        raise DataError(f"{path} cannot be read as {FORMS}: {error}") from None
    outside = np.flatnonzero((labels < 0) | (labels >= classes))
    if len(outside):
        raise DataError(
            f"{path}: row {outside[0]} has the label {labels[outside[0]]}; classes are 0 to "
            f"{classes - 1}"
        )
    return labels


def write_labels(folder: Path, config: TrialConfig, given: np.ndarray) -> Path:
    """Write given labels (n,) as a JSON list, the authors' format, and return the file.

    The authors' file names (`0.5_sym.json`) round the rate, so different rates can have the same
    name. The names here end with a hash of the labels.
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
    path = folder / ("_".join(filter(None, parts)) + ".json")
    path.write_text(json.dumps(given.tolist()), encoding="utf-8")
    return path


def _whole(path: Path, labels: np.ndarray, n: int) -> np.ndarray:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (n,) or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{path} has {labels.dtype} {labels.shape}; expected one integer for each of the {n} "
            "training images"
        )
    return labels.astype(np.int64)


def _table(path: Path, split: Split, class_names: tuple[str, ...]) -> np.ndarray:
    labels = split.start.copy()
    rows = _rows_by_name(split)
    numbers = {name: number for number, name in enumerate(class_names)}
    with path.open(encoding="utf-8-sig", newline="") as file:
        table = csv.DictReader(file)
        columns = table.fieldnames or []
        key = next((name for name in ("file", "index") if name in columns), None)
        if key is None or "label" not in columns:
            raise DataError(
                f"{path}: the first line is {','.join(columns)}; expected file,label or index,label"
            )
        seen: set[int] = set()
        for entry in table:
            where = f"{path}:{table.line_num}"
            name = entry[key] or ""
            label = (entry["label"] or "").strip()
            row = rows.get(name.strip()) if key == "file" else _number(name)
            if row is None or not 0 <= row < len(split):
                raise DataError(f"{where}: `{name}` is not among the {len(split)} training images")
            if row in seen:
                raise DataError(f"{where}: `{name}` is listed twice; keep one of the rows")
            seen.add(row)
            number = numbers.get(label, _number(label))
            if number is None:
                known = f", or one of {', '.join(class_names[:5])}, …" if class_names else ""
                raise DataError(
                    f"{where}: `{label}` is not a class; expected a number from 0{known}"
                )
            labels[row] = number
    return labels


def _number(text: str) -> int | None:
    text = text.strip()
    return (
        int(text)
        if text.isascii() and text.removeprefix("-").isdigit() and len(text) < 19
        else None
    )


def _rows_by_name(split: Split) -> dict[str, int]:
    """Return the row of each file name, with and without the folder of the split."""
    if split.names is None:
        return {}
    names = [name.decode(errors="backslashreplace") for name in split.names]
    return {name.split("/", 1)[-1]: row for row, name in enumerate(names)} | {
        n: row for row, n in enumerate(names)
    }
