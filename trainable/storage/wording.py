"""Lists of names in sentences. It uses the standard library only."""

from collections.abc import Sequence


def first_names(names: Sequence[str], shown: int = 5) -> str:
    """Return the first names, and how many more there are: `a, b and 3 more`."""
    first = ", ".join(names[:shown])
    if len(names) > shown:
        return f"{first} and {len(names) - shown} more"
    return first
