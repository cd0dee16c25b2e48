"""Comparison of arms as a terminal table of 80 columns."""

import pandas as pd
from rich.console import Console
from rich.table import Table

from analysis.report import cells, tables, verdicts
from analysis.report.answers import answers
from analysis.results.measure import Measure
from analysis.results.read import Results
from trainable.storage.names import LAST10


def show(results: Results, console: Console) -> None:
    """Print the arms of a study, grouped by family, and the verdicts."""
    study = results.begun
    answered = answers(study)
    table = answered.table
    text = tables.shown(table, study.measure)
    for setting in study.settings:
        here = (table["setting"] == setting).to_numpy()
        if setting:
            console.print(f"\n{setting}", style="bold")
        arms = text[here].drop(columns="setting", errors="ignore")
        families = list(table.loc[here, "family"])
        console.print(_grid(arms, families, study.measure))
    console.print(_legend(study), style="dim")
    for verdict in verdicts.VERDICTS:
        rows = table[table["verdict"] == verdict].to_dict("records")
        places = [cells.arm_name(row["setting"], row["arm"]) for row in rows]
        meaning = verdict
        if verdict == "equivalent":
            meaning = f"equivalent within ±{study.margin:g} points in the center"
        if places:
            console.print(f"{meaning}: {', '.join(places)}", soft_wrap=False)
    for line in verdicts.of_truth(answered.of_truth, study.margin):
        console.print(line)
    if answered.caution:
        console.print(f"note: {answered.caution}")
    for line in answered.notes:
        console.print(f"note: {line}")
    for line in verdicts.unusual(table):
        console.print(f"note: {line}")


def _legend(study: Results) -> str:
    measure = study.measure
    lines = [
        f"{measure.cell}: the ensemble's {measure.of_ensemble}, mean of the last epochs;",
        "          mean ± sd over seeds (test/accuracy_last10)",
        "difference: arm − baseline on the seeds on which neither run failed,",
    ]
    if study.design is None:
        lines += [
            "          with an interval that holds for all arms of the family together",
            "p: joint sign flips of whole seeds, corrected for all arms of the family",
        ]
    else:
        lines += [
            "          with a confidence sequence, which holds at every number of seeds",
            "p: holds at every number of seeds; of the arm alone",
        ]
    return "\n".join(lines)


def _grid(text: pd.DataFrame, families: list[str], measure: Measure) -> Table:
    """Return the table of a setting's arms, at most 80 columns wide, with rules between families.

    The short headers are explained below the tables.
    """
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    headers = {
        tables.header(LAST10, measure): f"{measure.cell} %",
        "difference [interval]": "difference, interval",
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
