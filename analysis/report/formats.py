"""Tables as Markdown, as LaTeX, and as CSV that spreadsheets open without running it."""

from pathlib import Path
from typing import Any

import pandas as pd

from trainable.storage.spreadsheets import escaped

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
    cells = [str(cell).replace("|", "&#124;") for cell in line]
    return f"| {' | '.join(cells)} |\n"


def latex(table: pd.DataFrame) -> str:
    """Return a table of text as LaTeX, for the package booktabs."""
    text = str(table.to_latex(index=False, escape=True))
    for character, command in LATEX.items():
        text = text.replace(character, command)
    return text
