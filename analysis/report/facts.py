"""What a report says apart from tables and figures: opening, verdicts, remarks, provenance."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from analysis.report import tables, verdicts
from analysis.report.answers import Answers
from analysis.report.opening import Opening, opening
from analysis.results import unexpected_files
from analysis.results.mixed_fingerprints import mixed, without_checksums
from analysis.results.read import Results
from analysis.results.registration import read_registration
from analysis.results.study_record import read_record
from trainable.storage.names import LAST10


@dataclass(frozen=True)
class Remarks:
    """Lines under one title.

    Attributes:
        name: the anchor on the page.
    """

    name: str
    title: str
    lines: list[str]


@dataclass(frozen=True)
class Facts:
    """What a report says apart from its tables and figures.

    Attributes:
        study: its name.
        counts: completed trials, and settings that are left out.
        measure: what the accuracies are.
        margin: equivalence margin in points.
        opening: the answer, and what was asked of which data.
        verdicts: verdict → sentences.
        explanation: how the comparison is to be read.
        reach: sentences about what the seeds can show.
        remarks: what is unfinished, failed, unexpected or mixed, without empty ones.
        file: text of the study file.
        runs: provenance of each run.
    """

    study: str
    counts: str
    measure: str
    margin: float
    opening: Opening
    verdicts: dict[str, list[str]]
    explanation: str
    reach: list[str]
    remarks: list[Remarks]
    file: str
    runs: list[dict[str, Any]]


def facts_of(whole: Results, study: Results, answered: Answers) -> Facts:
    """Return the facts of a study.

    Args:
        whole: the study with all of its settings.
        study: the same without settings of which nothing has begun.
        answered: its comparisons.
    """
    table = answered.table
    record = read_record(study.root)
    unexpected = record.problems + list(unexpected_files.unexpected(whole))
    return Facts(
        study=study.study,
        counts=_counts(whole, study),
        measure=study.measure.name,
        margin=study.margin,
        opening=opening(
            study, table, read_registration(study.root), answered.notes, answered.caution
        ),
        verdicts=verdicts.summary(table, study.margin),
        explanation=tables.note(study),
        reach=[*verdicts.reach(table, study.design), *verdicts.unusual(table)],
        remarks=[remarks for remarks in _remarks(study, unexpected) if remarks.lines],
        file=record.text,
        runs=record.runs,
    )


def _counts(whole: Results, begun: Results) -> str:
    """Write the number of completed trials, and the settings that the report omits."""
    counts = f"{len(whole.done)} of {len(whole.trials)} trials completed"
    left_out = [setting for setting in whole.settings if setting not in begun.settings]
    if left_out:
        counts += f", none in the settings {', '.join(left_out)}"
    return counts


def _remarks(study: Results, unexpected: list[str]) -> Iterator[Remarks]:
    trials = study.trials[study.trials["state"] != "done"].itertuples()
    unfinished = [f"{trial.folder}: {trial.state}: {trial.reason}" for trial in trials]
    yield Remarks("unfinished", "Trials without a result", unfinished)
    runs = study.done[study.done["failed"]].to_dict("records")
    failed = [f"{run['folder']}: {run[LAST10]:.2f} %: {run['failure']}" for run in runs]
    yield Remarks("failed", "Completed runs that count as failed", failed)
    yield Remarks("unexpected", "Unexpected or damaged files", unexpected)
    made = list(study.fingerprints())
    different = mixed(made) + without_checksums(made)
    yield Remarks("mixed", "Different code, libraries or devices", different)
    yield Remarks("unread", "Files of the data that were not read", study.data_notes)
