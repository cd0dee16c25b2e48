"""What finished trials do not have in common: code, libraries, kind of device.

Standard library only.
"""

from collections import Counter
from collections.abc import Iterable
from typing import Any

COMPARED = ("code", "versions", "device", "threads", "precision")
MOST_SHOWN = 5
"""Trials that a sentence names; it counts the others."""


def mixed(finished: Iterable[tuple[str, dict[str, Any]]]) -> list[str]:
    """Sentences about trials that different code, libraries or devices have made.

    Args:
        finished: (name, content of `trial.json`) of each finished trial.
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
