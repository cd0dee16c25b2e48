"""Write the label audit of a study.

Lists, contact sheets and tables are in `RUN_DIR/audit`; a summary is printed.
"""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
from rich.console import Console
from rich.table import Table

from analysis.audit import sentences, tables
from analysis.audit.audit import Audited, audit
from analysis.audit.contact_sheet import Card, page
from analysis.audit.index_page import write_index
from analysis.audit.written_audits import written_audits
from analysis.report.formats import write_csv
from orchestrator.audit.labels import Data, features_of, listed, read_data
from orchestrator.audit.pictures import text_of, thumbnail_of
from trainable.config.runtime import Machine
from trainable.storage.names import AUDIT, REPORT_PAGE

SHOWN = 400
"""Maximum number of images on a sheet."""


def write_audit(
    root: Path, setting: str | None, arm: str, seed: int | None, machine: Machine, console: Console
) -> tuple[list[Audited], Data]:
    """Audit an arm, write its files and print a summary.

    If each seed has its own noise, each has its own files.

    Returns:
        The audits, and the data with its names.

    Raises:
        DataError: the data set is missing or invalid.
        NoStudy, NoTrial, NoAudit: there is nothing to audit; the message has the reason.
    """
    found = audit(root, setting, arm, seed, features_of(root, machine))
    data = read_data(root, found[0], machine)
    setting = found[0].trial["setting"]
    place = f"{setting}/{arm}" if setting else arm
    folder = root / AUDIT / place
    folder.mkdir(parents=True, exist_ok=True)
    figures = tables.figures(found)
    suffix = "" if seed is None else f"_seed={seed}"
    write_csv(figures, folder / f"figures{suffix}.csv")
    show(figures, console)
    for audited in found:
        said = [*sentences.claims(audited), *sentences.doubts(audited, data.class_names(audited))]
        said += [sentences.order(audited.judgement), *sentences.reached(audited)]
        for sentence in said:
            console.print(f"{audited.name}: {sentence}")
        if len(found) > 1 or seed is not None:
            suffix = f"_seed={audited.seeds[0]}"
        title = f"{root.name}: {place}, {audited.name}"
        for path in _write(audited, data, title, folder, suffix):
            console.print(str(path))
    console.print(str(write_index(root)))
    return found, data


def as_data(root: Path, found: list[Audited]) -> dict[str, Any]:
    """Return what audits found for scripts; docs/monitoring.md describes the keys.

    Args:
        root: the study's folder, where `write_audit` has written the audits.
        found: the audits.
    """
    place = found[0].trial["setting"] or "", found[0].trial["arm"]
    seeds = {" ".join(map(str, audited.seeds)): audited for audited in found}
    written, _ = written_audits(root)
    audits = []
    for each in written:
        if (each.setting, each.arm) == place and each.seeds in seeds:
            audits.append(
                {
                    "setting": each.setting or None,
                    "arm": each.arm,
                    "seeds": list(seeds[each.seeds].seeds),
                    "samples": each.samples,
                    "expected": each.expected,
                    "least": each.least,
                    "most": each.most,
                    "wrong": each.wrong,
                    "share_by_class": each.shares,
                    "sentences": sentences.claims(seeds[each.seeds]),
                    "sheet": str(root / AUDIT / each.sheet) if each.sheet else None,
                }
            )
    return {
        "results": str(root),
        "page": str(root / AUDIT / REPORT_PAGE),
        "audits": audits,
    }


def _write(audited: Audited, data: Data, title: str, folder: Path, suffix: str) -> Iterator[Path]:
    """Write the sheet, the list and the tables of one set of given labels.

    `suffix` ends the files' names.
    """
    names = data.class_names(audited)
    table = listed(audited, data)
    cards = list(_cards(audited, table, data))
    lead = sentences.sentences(audited, len(cards), names)
    sections = tables.sections(audited, names)
    sheet = folder / f"sheet{suffix}.html"
    sheet.write_text(page(title, lead, cards, sections), encoding="utf-8")
    yield sheet
    contents = {"labels": table, **tables.tables(audited, names)}
    for name in tables.NOTES:
        if name not in contents:  # an earlier audit, of fewer trials, may have written it
            folder.joinpath(f"{name}{suffix}.csv").unlink(missing_ok=True)
    for name, content in contents.items():
        path = folder / f"{name}{suffix}.csv"
        write_csv(content, path)
        yield path


def _cards(audited: Audited, table: pd.DataFrame, data: Data) -> Iterator[Card]:
    """Yield the first images of the list."""
    rows = audited.ranked["index"].head(SHOWN)
    entries = table.head(SHOWN).to_dict("records")
    for row, entry in zip(rows, entries, strict=True):
        yield Card(
            source=thumbnail_of(data.arrays.train, row),
            key=str(entry[data.key]),
            given=str(entry["given"]),
            suggested=str(entry["suggested"]) if "suggested" in entry else None,
            wrong=_known(entry.get("wrong")),
            confidence=_known(entry.get("confidence")),
            true=str(entry["true"]) if "true" in entry else None,
            text=text_of(data.arrays.train, row),
        )


def _known(probability: float | None) -> float | None:
    """Return a probability; None if the audit cannot give it."""
    return None if probability is None or math.isnan(probability) else probability


COLUMNS = {
    "samples": ("samples", 0),
    "expected": ("expected", 0),
    "wrong": ("wrong", 0),
    "auc": ("AUC", 3),
    "precision@wrong": ("precision", 3),
    "precision_half": ("precision ½", 3),
    "recall_half": ("recall ½", 3),
}
"""Columns of the terminal table: header and decimals."""


def show(figures: pd.DataFrame, console: Console) -> None:
    """Print the figures and their meaning."""
    grid = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 2, 0, 0))
    grid.add_column("seeds")
    columns = [name for name in COLUMNS if name in figures]
    for name in columns:
        header, _ = COLUMNS[name]
        grid.add_column(header, justify="right")
    for row in figures.to_dict("records"):
        texts = []
        for name in columns:
            _, decimals = COLUMNS[name]
            texts.append("–" if pd.isna(row[name]) else f"{row[name]:.{decimals}f}")
        grid.add_row(row["seeds"], *texts)
    console.print(grid)
    text = "expected: expected number of label errors, the sum of their probabilities; –: not known"
    if "wrong" in figures:
        text += (
            "\nwrong: number of label errors; AUC of the list; precision of its first `wrong`\n"
            "samples; precision ½, recall ½: of labels with error probability above 0.5"
        )
    console.print(text, style="dim")
