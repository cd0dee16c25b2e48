"""The report of a study: the comparison as CSV and Markdown, and figures, below `report/`."""

from pathlib import Path

import pandas as pd

from analysis import figures, results, tables


def write(root: Path) -> list[Path]:
    """Write the report of the study in `root` and return its files. Raises NoResults."""
    study = results.read(root)
    table = tables.compare(study)
    folder = root / "report" / "tables"
    folder.mkdir(parents=True, exist_ok=True)
    table.to_csv(folder / "arms.csv", index=False)
    (folder / "arms.md").write_text(_page(study, table), encoding="utf-8")
    return [
        folder / "arms.csv",
        folder / "arms.md",
        *figures.accuracy_per_epoch(study, root / "report" / "figures"),
    ]


def _page(study: results.Results, table: pd.DataFrame) -> str:
    paired = table[table["paired"] | (table["arm"] == tables.BASELINE)]
    other = table.drop(paired.index)
    unfinished = study.trials[study.trials["state"] != "done"]
    parts = [f"# {study.study}\n", tables.markdown(tables.shown(paired)), NOTE]
    if len(other):
        parts += ["Arms on other data or noise, not comparable pair by pair:\n", tables.markdown(tables.shown(other))]
    if len(unfinished):
        parts += ["Trials without a result:\n", *(f"- {t.folder}: {t.state}" for t in unfinished.itertuples())]
    return "\n".join(parts) + "\n"


NOTE = (
    "Accuracy is the ensemble's on the clean test set, mean of the last ten epochs; mean ± sd over seeds. Differences "
    "are arm − baseline on the same seeds, with a 95 % t interval; p is the exact sign-flip test's, adjusted by Holm "
    "within each family (the named arms; each factor's values).\n"
)
