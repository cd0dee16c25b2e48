"""Markdown tables of the generated pages."""

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table; cells are Markdown."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def code(text: str) -> str:
    """Return text as inline code."""
    return f"`{text}`"


def _cell(text: str) -> str:
    """Return the text on one line; `|` ends a cell unless it is escaped, or in inline code."""
    parts = " ".join(text.split()).split("`")
    parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
    return "`".join(parts)
