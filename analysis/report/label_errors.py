"""The report's section on wrong labels: what the audits that were written so far say."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from analysis.audit.index_page import INDEX
from analysis.audit.written_audits import WrittenAudit, written_audits
from analysis.report.blocks import Block
from trainable.storage.names import AUDIT

CLASSES_SHOWN = 5
"""Largest number of classes that a row lists."""
NOTE = (
    "The expected number of wrong labels, as the audit of each arm has estimated it, and the given "
    "classes with the largest shares of them."
)


def label_errors(root: Path) -> Iterator[Block]:
    """Yield a table of the study's audits; nothing if none was written. Nothing is recomputed."""
    audits, problems = written_audits(root)
    if not audits:
        return
    table = pd.DataFrame([_row(audit) for audit in audits])
    if not table["setting"].any():
        table = table.drop(columns="setting")
    page = f"../{AUDIT}/{INDEX}"
    link = page if (root / AUDIT / INDEX).is_file() else ""
    note = " ".join([NOTE, *(f"{problem}." for problem in problems)])
    yield Block("audit", "Labels that are probably wrong", table, note, link)


def _row(audit: WrittenAudit) -> dict[str, str]:
    first = list(audit.shares.items())[:CLASSES_SHOWN]
    return {
        "setting": audit.setting,
        "arm": audit.arm,
        "seeds": audit.seeds,
        "labels": "" if audit.samples is None else f"{audit.samples:.0f}",
        "expected wrong": audit.counted,
        "share": audit.share,
        "most in": ", ".join(f"{name} {100 * share:.0f} %" for name, share in first if share),
    }
