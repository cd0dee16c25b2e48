"""A table of text as Markdown and as LaTeX."""

import pandas as pd


def markdown(table: pd.DataFrame) -> str:
    """A table of text as Markdown."""
    lines = [list(table.columns), ["---"] * len(table.columns), *table.to_numpy().tolist()]
    return (
        "\n".join(
            f"| {' | '.join(str(cell).replace('|', '&#124;') for cell in line)} |" for line in lines
        )
        + "\n"
    )


def latex(table: pd.DataFrame) -> str:
    """A table of text as LaTeX, for the package booktabs."""
    text = table.to_latex(index=False, escape=True)
    for character, command in {
        "−": "$-$",
        "±": r"$\pm$",
        "×": r"$\times$",
        "→": r"$\to$",
        "<": "$<$",
    }.items():
        text = text.replace(character, command)
    return text
