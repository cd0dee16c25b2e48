"""Differences of completed trials in code, libraries, type of device and format.

This module uses the standard library only.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from trainable.storage.checksums import FORMAT
from trainable.storage.wording import first_names

COMPARED = ("code", "versions", "device", "threads", "precision")
MOST_SHOWN = 5
"""Maximum number of trials named in a sentence; the others are counted."""


def mixed(finished: Iterable[tuple[str, dict[str, Any]]]) -> list[str]:
    """Return sentences about trials with different code, libraries or devices.

    Args:
        finished: (name, content of `trial.json`) of each completed trial.
    """
    values: dict[str, Counter[str]] = {name: Counter() for name in COMPARED}
    parts = []
    for trial, about in finished:
        fingerprint = about.get("fingerprint") or {}
        for name, found in values.items():
            found[str(fingerprint.get(name))] += 1
        if about.get("earlier"):
            parts.append(trial)
    lines = []
    for name, found in values.items():
        if len(found) > 1:
            counts = [f"{value} ({count})" for value, count in found.most_common()]
            lines.append(f"finished trials differ in {name}: {', '.join(counts)}")
    if parts:
        shown = first_names(parts, MOST_SHOWN)
        lines.append(f"trained by different code or machines in parts: {shown}")
    return lines


def without_checksums(finished: Iterable[tuple[str, dict[str, Any]]]) -> list[str]:
    """Return a sentence about trials from before there were checksums.

    Args:
        finished: (name, content of `trial.json`) of each completed trial.
    """
    formats = [about.get("format") for _, about in finished]
    older = len(formats) - formats.count(FORMAT)
    if not older:
        return []
    return [
        f"{older} of {len(formats)} finished trials were made before results had checksums: "
        "small damage of their files is not noticed"
    ]
