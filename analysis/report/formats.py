"""Tables as Markdown, as LaTeX, and as CSV that spreadsheets open without running it."""

import re
from pathlib import Path
from typing import Any

import pandas as pd

from trainable.storage.spreadsheets import escaped

HTML = re.compile(r"<(?=[A-Za-z/!?])")
"""The beginning of a tag or comment."""
LATEX = {
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "→": r"$\to$",
    "<": "$<$",
    "∞": r"$\infty$",
}
"""LaTeX commands for characters that a font may lack."""


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """Write a table whose text no spreadsheet runs as a formula."""
    table.rename(columns=escaped).map(escaped).to_csv(path, index=False)


def markdown(table: pd.DataFrame) -> str:
    """Return a table of text as Markdown."""
    columns = list(table.columns)
    text = _markdown_line(columns) + _markdown_line(["---"] * len(columns))
    for line in table.to_numpy().tolist():
        text += _markdown_line(line)
    return text


def _markdown_line(line: list[Any]) -> str:
    cells = [_markdown_cell(str(cell)) for cell in line]
    return f"| {' | '.join(cells)} |\n"


def _markdown_cell(text: str) -> str:
    """Return a text that is no HTML and no link, and ends no cell."""
    text = text.replace("|", "&#124;").replace("](", "]&#40;")
    return HTML.sub("&lt;", text)


def latex(table: pd.DataFrame) -> str:
    """Return a table of text as LaTeX, for the package booktabs."""
    text = str(table.to_latex(index=False, escape=True))
    for character, command in LATEX.items():
        text = text.replace(character, command)
    return text
