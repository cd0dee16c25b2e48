"""What finished trials do not have in common: code, libraries, kind of device. Standard library only."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

COMPARED = ("code", "versions", "device", "threads", "precision")


def mixed(finished: Iterable[tuple[str, dict[str, Any]]]) -> list[str]:
    """Sentences about trials, (name, `trial.json`) each, that different code, libraries or devices have made."""
    values: dict[str, Counter[str]] = {name: Counter() for name in COMPARED}
    parts = []
    for trial, about in finished:
        fingerprint = about.get("fingerprint") or {}
        for name, found in values.items():
            found[str(fingerprint.get(name))] += 1
        if about.get("earlier"):
            parts.append(trial)
    lines = [
        f"finished trials differ in {name}: {', '.join(f'{value} ({n})' for value, n in found.most_common())}"
        for name, found in values.items()
        if len(found) > 1
    ]
    if parts:
        more = f" and {len(parts) - 5} more" if len(parts) > 5 else ""
        lines.append(
            f"trained by different code or machines in parts: {', '.join(parts[:5])}{more}"
        )
    return lines
