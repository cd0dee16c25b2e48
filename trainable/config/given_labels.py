"""Files of given labels: their identity is a hash of the labels, however the file is written."""

import csv
import functools
import hashlib
import json
import unicodedata
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationInfo, model_validator

from trainable.config.base import Section
from trainable.config.messages import Misfit


class LabelFile(Section):
    """Fields of given labels that may be in a file."""

    path: str | None = None
    """Path of the file; None: the labels are not in a file."""
    labels_hash: Annotated[str | None, Field(repr=False)] = None
    """Hash of the labels; the program fills it in when it reads a study."""

    @model_validator(mode="before")
    @classmethod
    def _identify(cls, content: Any, info: ValidationInfo) -> Any:
        """Hash the labels when a study is read; a trial from a folder already has the hash."""
        study_dir = (info.context or {}).get("study_dir")
        if not isinstance(content, dict) or (study_dir is None and "labels_hash" in content):
            return content
        if "labels_hash" in content:
            raise Misfit(("labels_hash",), "is filled in automatically; remove it")
        path = content.get("path")
        if not isinstance(path, str):
            return content
        try:
            return {**content, "labels_hash": labels_hash((study_dir or Path()) / path)}
        except (OSError, ValueError):  # `plan` and `run` tell that it is missing
            return content


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
