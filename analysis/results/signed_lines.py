"""Files of JSON objects, one a line, each with its checksum. Lines are only added.

A damaged line is told and left out; the others count. It uses the standard library only.
"""

import json
import os
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

from trainable.storage.checksums import Damaged, signed, verified

T = TypeVar("T")


def append(path: Path, contents: Iterable[dict[str, Any]]) -> None:
    """Add lines to a file, and wait until they are on the disk."""
    lines = [json.dumps(signed(content)) + "\n" for content in contents]
    if not lines:
        return
    with path.open("ab+") as file:
        # A line that a crash has cut off must not spoil the next one.
        if file.tell():
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
        file.write("".join(lines).encode())
        file.flush()
        os.fsync(file.fileno())


def read(path: Path, entry: Callable[[dict[str, Any]], T]) -> tuple[list[T], list[str]]:
    """Return the entries of a file, and a sentence for each damaged line.

    Args:
        path: the file; none is like an empty one.
        entry: makes an entry from a line; it may raise ValueError, KeyError or TypeError.
    """
    try:
        lines = path.read_bytes().splitlines()
    except OSError:
        return [], []
    entries = []
    problems = []
    for number, line in enumerate(lines, 1):
        try:
            content = json.loads(line)
            if not isinstance(content, dict):
                raise Damaged("a line is not a JSON object")
            entries.append(entry(verified(content, path.name, compulsory=True)))
        except (Damaged, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            problems.append(f"{path.name}: line {number} is damaged, and left out")
    return entries, problems


def made(kind: type[T], content: dict[str, Any]) -> T:
    """Return an entry of a dataclass; fields of later versions are ignored."""
    known = {each.name for each in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in content.items() if name in known})
