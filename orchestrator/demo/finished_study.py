"""A finished study of the demonstration, and what it found."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FinishedStudy:
    """A study of the demonstration with its pages.

    Attributes:
        root: its results folder.
        asked: the question.
        answers: what was found, one sentence each.
        report: the report's page.
        audit: the page of the label audit; None: its labels were not audited.
        of_labels: what the audit found; empty: no audit.
        commands: command lines of the runs that made the results.
    """

    root: Path
    asked: str
    answers: list[str]
    report: Path
    audit: Path | None
    of_labels: list[str]
    commands: list[str]
