"""Differences of completed trials in code, libraries and type of device.

This module uses the standard library only.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

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
        shown = ", ".join(parts[:MOST_SHOWN])
        if len(parts) > MOST_SHOWN:
            shown += f" and {len(parts) - MOST_SHOWN} more"
        lines.append(f"trained by different code or machines in parts: {shown}")
    return lines
