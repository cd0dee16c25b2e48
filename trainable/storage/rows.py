"""Rows of a trial, one JSON object per epoch, as they are on disk."""

import contextlib
import hashlib
import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trainable.storage import names


def read_rows(folder: Path, file: str = names.METRICS_FILE) -> list[dict[str, Any]]:
    """Return all rows of a trial; what is no row is left out, as after a crash the last line."""
    try:
        content = (folder / file).read_bytes()
    except FileNotFoundError:
        return []
    whole = content[: content.rfind(b"\n") + 1]
    return list(_parsed(whole.splitlines()))


def rows_text(rows: list[dict[str, Any]]) -> bytes:
    """Return rows as they are on disk."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def _parsed(lines: list[bytes]) -> Iterator[dict[str, Any]]:
    for line in lines:
        with contextlib.suppress(ValueError, RecursionError):
            row = json.loads(line)
            if is_row(row):
                yield row


def is_row(content: Any) -> bool:
    """Return whether the content of a line is a row: it has an epoch, its metrics are numbers."""
    if not isinstance(content, dict) or type(content.get("epoch")) is not int:
        return False
    return all(is_number(value) for name, value in content.items() if names.is_metric(name))


def is_number(value: Any) -> bool:
    """Return whether a value of JSON is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def rows_checksum(folder: Path, epochs: int) -> str:
    """Return 16 hex digits that identify the first rows of a trial."""
    try:
        lines = (folder / names.METRICS_FILE).read_bytes().split(b"\n")
    except FileNotFoundError:
        lines = []
    return hashlib.sha256(b"\n".join(lines[:epochs])).hexdigest()[:16]
