"""Write the report of a study to `report/`: a self-contained page, its tables and figures."""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from analysis.figures import comparison as figures
from analysis.figures import curves, division, drawn_curves, drawn_points
from analysis.figures.forest import forest
from analysis.report import (
    breaking_points,
    formats,
    tables,
    true_accuracy,
    without_labels,
)
from analysis.report.answers import OF_TRUTH, Answers, answers, as_judged
from analysis.report.blocks import Block, Picture
from analysis.report.facts import facts_of
from analysis.report.forest import forest_tables
from analysis.report.label_errors import label_errors
from analysis.report.markdown import markdown
from analysis.report.page import page as page_of
from analysis.results.measure import Measure
from analysis.results.read import Results, read_results
from analysis.results.study_plan import BASELINE
from analysis.stats import comparison, interactions
from analysis.stats.comparison import ALONE
from analysis.stats.costs import costs_of_arms
from trainable.storage import names
from trainable.storage.names import (
    BEST_ACCURACY,
    LABEL_WAVE_ACCURACY,
    LAST10,
    SELECTED_ACCURACY,
)


def write_report(root: Path) -> list[Path]:
    """Write the report of the study in `root` and return its files, the page first.

    Raises:
        NoStudy: `root` contains no study results.
    """
    return write(read_results(root))


def write(whole: Results) -> list[Path]:
    """Write the report of a study, see `write_report`."""
    study = whole.begun
    root = study.root
    folder = root / names.REPORT
    (folder / names.TABLES).mkdir(parents=True, exist_ok=True)
    metrics = [LAST10, SELECTED_ACCURACY, BEST_ACCURACY]
    metrics += [metric for metric in (LABEL_WAVE_ACCURACY, ALONE) if metric in study.trials.columns]
    answered = answers(study)
    compared = {metric: comparison.compare(study, metric) for metric in metrics}
    compared[LAST10] = answered.table
    costs = costs_of_arms(study)
    effects = interactions.effects(study)
    thresholds = division.thresholds(study)
    blocks = list(_blocks(study, answered, compared, costs, effects, thresholds))
    blocks += label_errors(root)
    pictures = list(_pictures(study, answered, costs, folder / names.FIGURES))
    judged, unit = as_judged(answered)
    of_measure = f"last-10 {study.measure.header}"
    written_plot = forest(study, judged, folder / names.FIGURES, unit)
    plots = list(forest_tables(judged, study.margin, unit or of_measure))
    by_metric = [
        table.drop(columns=[*OF_TRUTH], errors="ignore").assign(metric=metric)
        for metric, table in compared.items()
    ]
    data = {
        "arms": compared[LAST10],
        "accuracies": pd.concat(by_metric),
        "costs": costs,
        "interactions": effects,
        "thresholds": thresholds,
    }
    written = _write_tables(data, blocks, folder / names.TABLES)
    if (root / names.JOURNAL).is_file():
        from analysis.report.search import write_search  # imports Optuna

        searched = write_search(root)
        blocks += searched.blocks
        pictures = [*searched.pictures, *pictures]
        written += searched.files
    facts = facts_of(whole, study, answered)
    page = folder / names.REPORT_PAGE
    html = page_of(root, blocks, pictures, plots, written, facts)
    page.write_text(html, encoding="utf-8")
    text = folder / names.REPORT_TEXT
    text.write_text("\n".join(markdown(blocks, facts)), encoding="utf-8")
    written += written_plot
    for picture in pictures:
        written.extend(picture.paths)
    return [page, text, *written]


def _write_tables(data: dict[str, pd.DataFrame], blocks: list[Block], folder: Path) -> list[Path]:
    """Write non-empty tables as CSV, and the tables of the page as LaTeX."""
    written = []
    for name, table in data.items():
        if len(table):
            file = folder / f"{name}.csv"
            formats.write_csv(table, file)
            written.append(file)
    for block in blocks:
        file = folder / f"{block.name}.tex"
        file.write_text(formats.latex(block.table), encoding="utf-8")
        written.append(file)
    return written


def _blocks(
    study: Results,
    answered: Answers,
    compared: dict[str, pd.DataFrame],
    costs: pd.DataFrame,
    effects: pd.DataFrame,
    thresholds: pd.DataFrame,
) -> Iterator[Block]:
    """Yield the tables of the page in order."""
    main = compared[LAST10]
    measure = study.measure
    truth = true_accuracy.block(answered, answered.checked)
    if truth is not None:
        yield truth
    unlabeled = without_labels.block(study)
    if unlabeled is not None:
        yield unlabeled
    yield from _families(main, tables.note(study), measure)
    if len(study.settings) > 1 or study.settings[0] != "":
        yield from _settings(compared, measure)
        broken = breaking_points.breaking_points(study)
        if len(broken):
            yield Block("breaks_at", "Breaks at", broken, breaking_points.NOTE)
    if len(effects):
        title = "Main effects and interactions"
        yield Block("interactions", title, tables.effects(effects), tables.EFFECTS)
    note = "Mean ± sd over seeds [95 % t interval]."
    title = "Accuracies" if measure.decides else measure.cell.capitalize()
    yield Block("accuracies", title, tables.accuracies(compared, measure), note)
    details = tables.details(main)
    if len(details):
        yield Block("details", "Statistics of the paired differences", details, tables.DETAILS)
    yield Block("costs", "Cost of the arms", tables.costs(costs), tables.COSTS)
    if len(thresholds):
        kept = tables.thresholds(thresholds)
        note = tables.THRESHOLDS.format(measure=measure.header)
        yield Block("thresholds", "Samples above a threshold", kept, note)


def _families(main: pd.DataFrame, note: str, measure: Measure) -> Iterator[Block]:
    """Yield the comparison of each family, then the arms that cannot be compared."""
    for number, (setting, family, rows) in enumerate(tables.families(main), 1):
        heading = f"Family {family}"
        if setting:
            heading += f", setting {setting}"
        yield Block(f"family_{number}", heading, tables.judged(rows, measure), note)
        note = ""  # the note is shown once
    other = main[~main["paired"] & (main["arm"] != BASELINE)]
    if len(other):
        note = "These arms have other data or noise than the baseline, so there are no pairs."
        shown = tables.shown(other, measure)
        yield Block("other_data", "Arms on other data or noise", shown, note)


def _settings(compared: dict[str, pd.DataFrame], measure: Measure) -> Iterator[Block]:
    """Yield the tables that compare settings."""
    paper = {}
    for metric in (BEST_ACCURACY, LAST10, ALONE):
        if metric in compared:
            paper[metric] = compared[metric]
    note = "The layout of Table 5 of the DivideMix paper. Mean ± sd over seeds."
    yield Block("by_setting", "Arms and settings", tables.by_setting(paper, measure), note)
    main = compared[LAST10]
    if main["arm"].nunique() > 2:
        note = tables.RANKS.format(measure=measure.header)
        yield Block("ranks", "Ranks", tables.ranks(main), note)


def _pictures(
    study: Results, answered: Answers, costs: pd.DataFrame, folder: Path
) -> Iterator[Picture]:
    """Yield the figures of the page in order, without those that have no data."""
    table = answered.table
    measure = study.measure.name
    drawn = [
        Picture(
            f"{measure.capitalize()} per epoch: mean, band of ± one sd over seeds.",
            curves.accuracy_per_epoch(study, folder),
            list(drawn_curves.accuracy_groups(study)),
        ),
        Picture(
            f"{measure.capitalize()} over each factor's values: mean with 95 % t interval; "
            "small dots are seeds, the hollow one is the baseline.",
            figures.factor_curves(study, folder),
            list(drawn_points.factor_groups(study)),
        ),
        Picture(f"Mean {measure} of each cell of the product.", figures.heat_map(study, folder)),
        Picture(
            f"{measure.capitalize()} against the work of a trial.",
            figures.accuracy_against_work(study, table, costs, folder),
            list(drawn_points.work_groups(study, table, costs)),
        ),
        Picture(
            "Quality of the division: mean of the networks, band of ± one sd over seeds.",
            curves.division_per_epoch(study, folder),
            list(drawn_curves.division_groups(study)),
        ),
        Picture(
            "Losses of correct and wrong labels in network 0 of the baseline "
            "(or of all arms if few), with the mixture.",
            division.loss_histograms(study, folder),
        ),
        Picture(
            "Samples per class above thresholds of the baseline's clean probability.",
            division.class_histograms(study, folder),
        ),
    ]
    return (picture for picture in drawn if picture.paths)
