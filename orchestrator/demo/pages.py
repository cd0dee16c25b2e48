"""Write the report and the label audit of a finished study, and say what they show."""

import shlex
from pathlib import Path

from rich.console import Console

from analysis.audit.sentences import claims
from analysis.report.answers import answers
from analysis.report.opening import opening
from analysis.report.verdicts import summary
from analysis.report.write import write
from analysis.results.read import read_results
from analysis.results.registration import read_registration
from analysis.results.study_plan import BASELINE
from analysis.results.study_record import read_record
from orchestrator.audit.write import write_audit
from orchestrator.demo.finished_study import FinishedStudy
from trainable.config.runtime import Machine
from trainable.storage.names import AUDIT, REPORT_PAGE

AUDITED_SEED = 200
"""Seed whose labels are audited; each seed of the ablation has wrong labels of its own."""


def with_pages(root: Path, audited: bool) -> FinishedStudy:
    """Write the pages of an unpacked study.

    Args:
        root: its results folder.
        audited: whether the labels of seed AUDITED_SEED are audited.
    """
    page = None
    of_labels: list[str] = []
    if audited:
        machine = Machine(study_dir=root, data_dir=root)  # digits come with scikit-learn
        quiet = Console(quiet=True)
        found, _ = write_audit(root, None, BASELINE, AUDITED_SEED, machine, quiet)
        page = root / AUDIT / REPORT_PAGE
        of_labels = claims(found[0])
    results = read_results(root)
    report = write(results)[0]
    answered = answers(results)
    opened = opening(results, answered.table, read_registration(root), answered.notes)
    sentences = list(opened.answers)
    for verdict in summary(answered.table, results.margin).values():
        sentences += verdict
    commands = [made_by(run["command"]) for run in read_record(root).runs]
    return FinishedStudy(root, opened.asked, sentences, report, page, of_labels, commands)


def made_by(recorded: list[str]) -> str:
    """Return a recorded command line as it is typed."""
    return f"python -m orchestrator {shlex.join(recorded[1:])}"
