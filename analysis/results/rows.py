"""Rows of many trials: their files are parsed together, and only the columns that are asked for."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import json as arrow_json

from trainable.storage import names
from trainable.storage.rows import is_number, read_rows

TOGETHER = 500
"""Number of trials whose files are parsed at once: some 20 MB."""


def read_columns(
    folders: Sequence[Path], columns: Sequence[str]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Read columns of numbers of the rows of trials.

    Args:
        folders: the trials' folders.
        columns: names of fields; a number that a row lacks is NaN.

    Returns:
        Column → its values, the rows of one trial after those of another; and the number of rows of
        each trial.
    """
    parts: dict[str, list[np.ndarray]] = {name: [np.empty(0)] for name in columns}
    counts: list[int] = []
    for together in _portions(folders):
        table, rows = _parsed(together, columns)
        counts += rows
        for name in columns:
            parts[name].append(table[name])
    return {name: np.concatenate(values) for name, values in parts.items()}, np.array(counts, int)


def numbers_of(folders: Sequence[Path]) -> list[str]:
    """Return the names of all numbers in the rows of trials, in order of first appearance."""
    found: dict[str, None] = {}
    for together in _portions(folders):
        try:
            content = b"".join(_whole_lines(folder) for folder in together)
            schema = _read(content, arrow_json.ParseOptions()).schema
            found.update(
                (field.name, None)
                for field in schema
                if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
            )
        except pa.ArrowInvalid:
            for folder in together:
                for row in read_rows(folder):
                    found.update((name, None) for name in row if is_number(row[name]))
    return list(found)


def _portions(folders: Sequence[Path]) -> Iterator[Sequence[Path]]:
    for start in range(0, len(folders), TOGETHER):
        yield folders[start : start + TOGETHER]


def _parsed(
    folders: Sequence[Path], columns: Sequence[str]
) -> tuple[dict[str, np.ndarray], list[int]]:
    """Return the columns of some trials, and the number of rows of each."""
    contents = [_whole_lines(folder) for folder in folders]
    counts = [content.count(b"\n") for content in contents]
    schema = pa.schema([(name, pa.float64()) for name in columns])
    options = arrow_json.ParseOptions(explicit_schema=schema, unexpected_field_behavior="ignore")
    try:
        table = _read(b"".join(contents), options)
    except pa.ArrowInvalid:  # a line that is no row, or a text in place of a number
        return _parsed_one_by_one(folders, columns)
    if table.num_rows != sum(counts):
        return _parsed_one_by_one(folders, columns)
    return {name: table[name].to_numpy().astype(float) for name in columns}, counts


def _read(content: bytes, options: arrow_json.ParseOptions) -> pa.Table:
    """Parse lines of JSON. Raises ArrowInvalid."""
    if not content:
        return pa.table({field.name: [] for field in options.explicit_schema or []})
    block = arrow_json.ReadOptions(block_size=max(1 << 20, len(content)), use_threads=False)
    return arrow_json.read_json(io.BytesIO(content), read_options=block, parse_options=options)


def _parsed_one_by_one(
    folders: Sequence[Path], columns: Sequence[str]
) -> tuple[dict[str, np.ndarray], list[int]]:
    """Parse line by line; what is no row is left out."""
    counts = []
    values: dict[str, list[float]] = {name: [] for name in columns}
    for folder in folders:
        rows = read_rows(folder)
        counts.append(len(rows))
        for name in columns:
            values[name] += [_number(row.get(name)) for row in rows]
    return {name: np.array(found, float) for name, found in values.items()}, counts


def _number(value: Any) -> float:
    return float(value) if is_number(value) else np.nan


def _whole_lines(folder: Path) -> bytes:
    """Return the rows' file without a last line that was cut off."""
    try:
        content = (folder / names.METRICS_FILE).read_bytes()
    except OSError:
        return b""
    return content[: content.rfind(b"\n") + 1]
