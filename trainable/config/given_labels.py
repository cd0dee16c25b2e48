"""Identity of a file of given labels: a hash of the labels, however the file is written."""

import csv
import functools
import hashlib
import json
import unicodedata
from pathlib import Path
from typing import Any


def labels_hash(file: Path) -> str:
    """Return 16 hex digits that identify the labels in a file, which is read again if it changes.

    Two lists of the same numbers are the same labels, as JSON or as an array; so are two tables of
    the same rows, in any order. A file that cannot be read as labels is identified by its bytes;
    what is wrong with it is told when a trial reads it.

    Raises:
        OSError: the file cannot be read.
    """
    stat = file.stat()
    return _labels_hash(file, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=64)
def _labels_hash(file: Path, changed: int, size: int) -> str:
    del changed, size
    content = file.read_bytes()
    try:
        labels = _labels(file, content)
    except (ValueError, KeyError, csv.Error, RecursionError):
        labels = None
    if labels is not None:
        content = json.dumps(labels).encode()
    return hashlib.sha256(content).hexdigest()[:16]


def _labels(file: Path, content: bytes) -> Any:
    """Return the labels as plain data, in an order that does not depend on the file's."""
    match file.suffix.lower():
        case ".json":
            return json.loads(content)
        case ".npy":
            import numpy as np

            return np.load(file, allow_pickle=False).ravel().tolist()
        case ".csv":
            lines = content.decode("utf-8-sig").splitlines()
            columns, *rows = csv.reader(lines)
            return [columns, *sorted([_normal(cell) for cell in row] for row in rows)]
    return None


def _normal(text: str) -> str:
    return unicodedata.normalize("NFC", text.strip())
