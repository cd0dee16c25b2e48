"""The audits that were written so far, read from their tables in `RUN_DIR/audit`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from trainable.storage.names import AUDIT
from trainable.storage.spreadsheets import unescaped

NAMED = re.compile(r"[a-z]+(?P<suffix>_seed=\d+)?\.csv")
"""Tables of an audit: of all seeds, or of one."""


@dataclass(frozen=True)
class WrittenAudit:
    """One set of given labels that was audited.

    Attributes:
        setting: "" if the study has no settings.
        arm: the arm whose trials judge the labels.
        seeds: their seeds, as text.
        samples: number of ranked labels; None: unknown.
        expected: expected number of wrong labels; None: the audit gives none.
        least, most: its range; None: the audit gives none.
        wrong: number of wrong labels; None: the true labels are unknown.
        sheet: the contact sheet, relative to the folder of audits; None: there is none.
        shares: expected share of wrong labels by given class, the largest first; empty: none.
    """

    setting: str
    arm: str
    seeds: str
    samples: float | None
    expected: float | None
    least: float | None
    most: float | None
    wrong: float | None
    sheet: str | None
    shares: dict[str, float]

    @property
    def counted(self) -> str:
        """The expected number of wrong labels with its range: `12 (8 to 17)`."""
        if self.expected is None:
            return "not given"
        text = f"{self.expected:.0f}"
        if self.least is not None and self.most is not None:
            text += f" ({self.least:.0f} to {self.most:.0f})"
        return text

    @property
    def share(self) -> str:
        """The expected share of wrong labels: `13.3 %`; empty if it is not given."""
        if self.expected is None or not self.samples:
            return ""
        return f"{100 * self.expected / self.samples:.1f} %"


def written_audits(root: Path) -> tuple[list[WrittenAudit], list[str]]:
    """Read the audits of the study in `root`, sorted by setting, arm and seeds.

    Returns:
        The audits, and sentences about tables that cannot be read.
    """
    folder = root / AUDIT
    found = []
    problems = []
    for file in sorted([*folder.glob("*/figures*.csv"), *folder.glob("*/*/figures*.csv")]):
        named = NAMED.fullmatch(file.name)
        if named is None:
            continue
        try:
            found += list(_audits(folder, file, named["suffix"] or ""))
        except (OSError, ValueError, KeyError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no table of an audit"
            name = file.relative_to(root).as_posix()
            problems.append(f"{name} or its table of classes cannot be read: {reason}")
    return sorted(found, key=_in_order), problems


def _audits(folder: Path, file: Path, suffix: str) -> Iterator[WrittenAudit]:
    """Yield the audits of a table of figures, whose name ends with `suffix`."""
    *settings, arm = file.parent.relative_to(folder).parts
    table = _read(file)
    rows = [row for row in table.to_dict("records") if row["seeds"] != "mean"]
    for row in rows:
        ending = suffix
        if len(rows) > 1:
            ending = f"_seed={row['seeds'].split()[0]}"
        sheet = file.with_name(f"sheet{ending}.html")
        classes = file.with_name(f"classes{ending}.csv")
        yield WrittenAudit(
            setting="".join(settings),
            arm=arm,
            seeds=row["seeds"],
            samples=_number(row.get("samples")),
            expected=_number(row.get("expected")),
            least=_number(row.get("least")),
            most=_number(row.get("most")),
            wrong=_number(row.get("wrong")),
            sheet=sheet.relative_to(folder).as_posix() if sheet.is_file() else None,
            shares=_shares(classes) if classes.is_file() else {},
        )


def _shares(file: Path) -> dict[str, float]:
    """Return given class → expected share of wrong labels, the largest first."""
    table = _read(file)
    found = {}
    for name, text in zip(table["given"], table.get("share", []), strict=False):
        share = _number(text)
        if share is not None:
            found[unescaped(name)] = share
    return dict(sorted(found.items(), key=lambda each: -each[1]))


def _read(file: Path) -> pd.DataFrame:
    """Read a table as text."""
    return pd.read_csv(file, dtype=str, keep_default_na=False)


def _number(text: str | None) -> float | None:
    """Return the number that a cell shows; None: it is absent or empty."""
    return float(text) if text else None


def _in_order(audit: WrittenAudit) -> tuple[str, str, int, list[int]]:
    """Return a sort key: audits of several seeds first, seeds by value."""
    seeds = [int(seed) for seed in audit.seeds.split() if seed.isdecimal()]
    return audit.setting, audit.arm, -len(seeds), seeds
