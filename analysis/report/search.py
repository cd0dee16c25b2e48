"""Tables, CSV files and figures of a search for the report of its confirmation.

This module imports Optuna.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import optuna
import pandas as pd

from analysis.figures import search as figures
from analysis.report import tables
from analysis.report.blocks import Block, Picture
from analysis.report.formats import write_csv
from analysis.report.search_ranks import sentence_of
from analysis.stats import search, search_importance
from analysis.stats.selection_noise import Ranks, read_ranks
from trainable.storage import names

NOTES = {
    "optimism": (
        "Search scores and fresh seeds",
        "Noisy validation accuracy, mean of the last epochs. Optimism: search score − mean "
        "over fresh seeds. Promised and gained: search score and mean over fresh seeds, minus the "
        "baseline's. Search scores are biased upwards by the selection and are not results.",
    ),
    "trials": (
        "Trials of the search",
        "Accuracy is the score on the noisy validation labels. For a stopped trial it is that of "
        "the last epoch, which is not comparable with the others.",
    ),
    "ranks": (
        "Ranks on validation labels",
        "The best trials. Error: standard error of the difference to the best one, from the "
        "validation images on which only one of both agrees with the label. A trial that is more "
        "than two errors behind is told apart from the best one. Where networks can learn the "
        "wrong labels, a trial that learns them scores better, and no number of labels shows it.",
    ),
    "work": (
        "Cost of the search",
        "Epochs trained, epochs at full length, and the share saved by early stopping.",
    ),
    "importance": (
        "Importance of parameters",
        "Importances in full-length trials, with the 5th and 95th percentile over resampled "
        "trials. The two methods measure different quantities and may disagree.",
    ),
}
"""Titles and explanations of the tables."""

RANKED = 9
"""Number of trials behind the best one whose ranks are shown."""


@dataclass(frozen=True)
class SearchReport:
    """Tables and figures for the page, and the CSV files of the tables."""

    blocks: list[Block]
    pictures: list[Picture]
    files: list[Path]


def write_search(root: Path) -> SearchReport:
    """Write tables and figures of the study's searches below `report/`.

    Raises:
        NoStudy: the journal has a search whose name cannot be a folder.
    """
    report = SearchReport([], [], [])
    for study in search.read(root):
        trials = search.trials(root, study)
        if trials.empty:
            continue
        name = study.study_name
        importance = search_importance.importance(study)
        work = pd.DataFrame([search.work(root, study)])
        _add_table(report, root, "trials", trials, name)
        ranks = _rank_table(root, study)
        if len(ranks):
            _add_table(report, root, "ranks", ranks, name)
        _add_table(report, root, "importance", importance, name)
        _add_table(report, root, "work", work, name)
        report.pictures.extend(_pictures(root, study, importance))
    promised = search.optimism(root)
    if len(promised):
        _add_table(report, root, "optimism", promised)
    return report


def rank_sentences(root: Path) -> list[str]:
    """Return what the ranks of each search of a study are worth.

    Raises:
        NoStudy: see `write_search`.
    """
    found = []
    for study in search.read(root):
        arm, seeds = _place(study)
        found.append(sentence_of(root, study.study_name, arm, seeds))
    return [each for each in found if each is not None]


def _place(study: optuna.Study) -> tuple[str | None, list[int]]:
    """Return the arm that a search tunes, and its seeds."""
    return study.user_attrs.get("arm"), study.user_attrs["definition"]["seeds"]


def _rank_table(root: Path, study: optuna.Study) -> pd.DataFrame:
    """Return the best trials and their distance to the best one; empty: too few are done."""
    arm, seeds = _place(study)
    ranks = read_ranks(root / names.RUNS / (arm or ""), seeds)
    columns = ["trial", "score", "behind", "error", "told_apart"]
    return pd.DataFrame(list(_rank_rows(ranks)) if ranks else [], columns=columns)


def _rank_rows(ranks: Ranks) -> Iterator[tuple[str, float, float, float, str]]:
    yield ranks.best.trial, ranks.best.score, 0.0, 0.0, ""
    for rank in ranks.others[:RANKED]:
        told = "yes" if rank.told_apart else "no"
        yield rank.trial, rank.score, rank.behind, rank.error, told


def _add_table(
    report: SearchReport, root: Path, kind: str, table: pd.DataFrame, name: str = ""
) -> None:
    """Write a table's CSV file and add it to the report unless empty; `name` is its search."""
    title, note = NOTES[kind]
    stem = kind
    if name:
        stem = f"search_{name}_{kind}"
        title = f"{title}: {name}"
    file = root / names.REPORT / names.TABLES / f"{stem}.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    write_csv(table, file)
    report.files.append(file)
    if len(table):
        report.blocks.append(Block(stem, title, tables.plain(table), note))


def _pictures(root: Path, study: optuna.Study, importance: pd.DataFrame) -> Iterator[Picture]:
    folder = root / names.REPORT / names.FIGURES / f"search_{study.study_name}"
    for file in figures.write(study, importance, folder):
        if file.suffix == ".png":
            caption = f"{folder.name}: {file.stem.replace('_', ' ')}."
            yield Picture(caption, [file, file.with_suffix(".svg")])
