"""A table of text as Markdown and as LaTeX."""

from typing import Any

import pandas as pd

LATEX = {
    "−": "$-$",
    "±": r"$\pm$",
    "×": r"$\times$",
    "→": r"$\to$",
    "<": "$<$",
}
"""LaTeX commands for characters that a font may lack."""


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
