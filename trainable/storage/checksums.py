"""Checksums of results, which reveal faulty disks, bad merges and edits; forgery they do not.

A JSON object carries the checksum of its own content. A summary also has those of the files that
belong to it. Results that were made before there were checksums are read without them.
"""

import functools
import hashlib
import json
from pathlib import Path
from typing import Any

FORMAT = 2
"""Version of the results' format. From 2 on, checksums are compulsory: to delete one is damage."""
CHECKSUM = "checksum"
"""Key of a JSON object: the checksum of all its other keys."""


class Damaged(Exception):
    """A file of results is not as it was written; the message names the file and the fault."""


def signed(content: dict[str, Any]) -> dict[str, Any]:
    """Return a JSON object with its checksum."""
    return {**content, CHECKSUM: content_checksum(content)}


def content_checksum(content: Any) -> str:
    """Return 16 hex digits that identify JSON content, however it is laid out."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def text_checksum(text: str) -> str:
    """Return 16 hex digits that identify a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def file_checksum(path: Path) -> str:
    """Return 16 hex digits that identify the bytes of a file, which is read again if it changes."""
    return _file_checksum(path, file_version(path))


def file_version(path: Path) -> tuple[int, ...]:
    """Return numbers that change when a file does: inode, times (ns) and size."""
    stat = path.stat()
    return stat.st_ino, stat.st_ctime_ns, stat.st_mtime_ns, stat.st_size


@functools.lru_cache(maxsize=100_000)
def _file_checksum(path: Path, version: tuple[int, ...]) -> str:
    del version
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]


def read_signed(path: Path, compulsory: bool = False) -> dict[str, Any]:
    """Return the JSON object in a file, without its checksum.

    Args:
        path: the file.
        compulsory: whether an object without a checksum is damaged.

    Raises:
        FileNotFoundError: there is no file.
        Damaged: it contains no JSON object, or another one than the program wrote.
    """
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, RecursionError):
        raise Damaged(f"{path.name} is not JSON") from None
    if not isinstance(content, dict):
        raise Damaged(f"{path.name} is not a JSON object")
    return verified(content, path.name, compulsory)


def verified(content: dict[str, Any], name: str, compulsory: bool = False) -> dict[str, Any]:
    """Return a JSON object without its checksum. Raises Damaged."""
    if CHECKSUM not in content:
        if compulsory:
            raise Damaged(f"{name} has no checksum")
        return content
    rest = {key: value for key, value in content.items() if key != CHECKSUM}
    if content_checksum(rest) != content[CHECKSUM]:
        raise Damaged(f"{name} does not match its checksum")
    return rest
