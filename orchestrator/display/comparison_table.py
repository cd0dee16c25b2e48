"""Comparison of arms as a terminal table of 80 columns."""

from pathlib import Path

import pandas as pd
from rich.console import Console
from rich.table import Table

from analysis.report import cells, tables, verdicts
from analysis.results.read import read_results
from analysis.stats import comparison


def show(root: Path, console: Console) -> None:
    """Print the arms of the study in `root`, grouped by family, and the verdicts."""
    study = read_results(root).begun
    table = comparison.compare(study)
    text = tables.shown(table)
    for setting in study.settings:
        here = (table["setting"] == setting).to_numpy()
        if setting:
            console.print(f"\n{setting}", style="bold", markup=False)
        arms = text[here].drop(columns="setting", errors="ignore")
        families = list(table.loc[here, "family"])
        console.print(_grid(arms, families))
    console.print(
        "accuracy: the ensemble's on the clean test set, mean of the last 10 epochs;\n"
        "          mean ± sd over seeds (test/accuracy_last10)\n"
        "difference: arm − baseline, paired by seed, with its 95 % t interval\n"
        "Holm p: exact sign-flip test, adjusted within each family",
        style="dim",
    )
    for verdict in verdicts.VERDICTS:
        rows = table[table["verdict"] == verdict].to_dict("records")
        places = [cells.arm_name(row["setting"], row["arm"]) for row in rows]
        meaning = cells.verdict_word(verdict)
        if verdict == "equivalent":
            meaning = f"equivalent within ±{study.margin:g} points"
        if places:
            console.print(f"{meaning}: {', '.join(places)}", markup=False, soft_wrap=False)


def _grid(text: pd.DataFrame, families: list[str]) -> Table:
    """Return the table of a setting's arms, at most 80 columns wide, with rules between families.

    The short headers are explained below the tables.
    """
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    headers = {
        "last-10 test accuracy %": "accuracy %",
        "difference [95 % interval]": "difference [95 %]",
    }
    for name in text.columns:
        if name == "arm":
            grid.add_column(name, overflow="fold")
        else:
            grid.add_column(headers.get(name, name), justify="right", no_wrap=True)
    for k, row in enumerate(text.itertuples(index=False)):
        last = k + 1 < len(families) and families[k] != families[k + 1]
        grid.add_row(*map(str, row), end_section=last)
    return grid
