"""The comparison of arms on a terminal, within 80 columns."""

from pathlib import Path

from rich.console import Console
from rich.table import Table

from analysis import comparison, results, tables, words


def show(root: Path, console: Console) -> None:
    """Print the table of arms of the study in `root`, families apart, and what it shows."""
    study = results.read(root).begun
    table = comparison.compare(study)
    text = tables.shown(table)
    # A terminal of 80 columns: short headers, explained below the table.
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    headers = {"last-10 test accuracy %": "accuracy %", "difference [95 % interval]": "difference [95 %]"}
    for name in text.columns:
        grid.add_column(
            headers.get(name, name), justify="left" if name in ("setting", "arm") else "right", no_wrap=True
        )
    places = list(zip(table["setting"], table["family"], strict=True))
    for k, row in enumerate(text.itertuples(index=False)):
        grid.add_row(*map(str, row), end_section=k + 1 < len(places) and places[k] != places[k + 1])
    console.print(grid)
    console.print(
        "accuracy: the ensemble's on the clean test set, mean of the last 10 epochs;\n"
        "          mean ± sd over seeds (test/accuracy_last10)\n"
        "difference: arm − baseline, paired by seed, with its 95 % t interval\n"
        "Holm p: exact sign-flip test, adjusted within each family",
        style="dim",
    )
    arms = {
        v: [tables.place(r["setting"], r["arm"]) for r in table[table["verdict"] == v].to_dict("records")]
        for v in words.VERDICTS
    }
    meaning = {"equivalent": f"equivalent within ±{study.margin:g} points"}
    for verdict, found in arms.items():
        if found:
            console.print(f"{meaning.get(verdict, verdict)}: {', '.join(found)}", markup=False, soft_wrap=False)
