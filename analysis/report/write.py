"""The report of a study: one self-contained page, and its tables and figures as files, below `report/`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from analysis.figures import comparison as figures
from analysis.figures import curves, division
from analysis.report import formats, tables, verdicts
from analysis.report.blocks import Block, Picture
from analysis.results import unexpected_files
from analysis.results.mixed_fingerprints import mixed
from analysis.results.read import Results, read_results
from analysis.stats import comparison, interactions
from analysis.stats.comparison import ALONE, BASELINE
from trainable.storage import names
from trainable.storage.names import BEST_ACCURACY, LAST10, SELECTED_ACCURACY


def write_report(root: Path) -> list[Path]:
    """Write the report of the study in `root` and return its files, the page first.

    Raises:
        NoStudy: `root` holds no study's results.
    """
    whole = read_results(root)
    study = whole.begun
    folder = root / names.REPORT
    (folder / names.TABLES).mkdir(parents=True, exist_ok=True)
    metrics = [LAST10, SELECTED_ACCURACY, BEST_ACCURACY, *({ALONE} & {*study.trials.columns})]
    compared = {metric: comparison.compare(study, metric) for metric in metrics}
    costs, effects = comparison.costs(study), interactions.effects(study)
    thresholds = division.thresholds(study)
    blocks = list(_blocks(study, compared, costs, effects, thresholds))
    pictures = list(_pictures(study, compared[LAST10], costs, folder / names.FIGURES))
    data = {
        "arms": compared[LAST10],
        "accuracies": pd.concat(
            [table.assign(metric=metric) for metric, table in compared.items()]
        ),
        "costs": costs,
        "interactions": effects,
        "thresholds": thresholds,
    }
    written = []
    for name, table in data.items():
        if len(table):
            written.append(folder / names.TABLES / f"{name}.csv")
            table.to_csv(written[-1], index=False)
    for block in blocks:
        written.append(folder / names.TABLES / f"{block.name}.tex")
        written[-1].write_text(formats.latex(block.table), encoding="utf-8")
    if (root / names.JOURNAL).is_file():
        from analysis.report.search import write_search  # optuna: an ablation's report does without

        searched = write_search(root)
        blocks += searched.blocks
        pictures[1:1] = searched.pictures
        written += searched.files
    facts = _facts(whole, study, compared[LAST10])
    page, text = folder / names.REPORT_PAGE, folder / names.REPORT_TEXT
    page.write_text(_template().render(blocks=blocks, pictures=pictures, **facts), encoding="utf-8")
    text.write_text("\n".join(_markdown(blocks, facts)), encoding="utf-8")
    return [page, text, *written, *(path for picture in pictures for path in picture.paths)]


def _blocks(
    study: Results,
    compared: dict[str, pd.DataFrame],
    costs: pd.DataFrame,
    effects: pd.DataFrame,
    thresholds: pd.DataFrame,
) -> Iterator[Block]:
    main = compared[LAST10]
    several = len(study.settings) > 1 or study.settings[0] != ""
    for k, (setting, family, rows) in enumerate(tables.families(main)):
        heading = f"Family {family}" + (f", setting {setting}" if setting else "")
        yield Block(f"family_{k + 1}", heading, tables.judged(rows), "" if k else tables.NOTE)
    other = main[~main["paired"] & (main["arm"] != BASELINE)]
    if len(other):
        note = "They see other data or noise than the baseline, so there are no pairs to compare."
        yield Block("other_data", "Arms on other data or noise", tables.shown(other), note)
    if several:
        paper = {
            metric: compared[metric]
            for metric in (BEST_ACCURACY, LAST10, ALONE)
            if metric in compared
        }
        note = "The layout of Table 5 of the DivideMix paper. Mean ± sd over seeds."
        yield Block("by_setting", "Arms and settings", tables.by_setting(paper), note)
        if main["arm"].nunique() > 2:
            yield Block("ranks", "Ranks", tables.ranks(main), tables.RANKS)
    if len(effects):
        yield Block(
            "interactions", "Main effects and interactions", tables.effects(effects), tables.EFFECTS
        )
    yield Block(
        "accuracies",
        "Accuracies",
        tables.accuracies(compared),
        "Mean ± sd over seeds [95 % t interval].",
    )
    details = tables.details(main)
    if len(details):
        yield Block("details", "Statistics of the paired differences", details, tables.DETAILS)
    yield Block("costs", "What the arms cost", tables.costs(costs), tables.COSTS)
    if len(thresholds):
        yield Block(
            "thresholds", "What a threshold keeps", tables.thresholds(thresholds), tables.THRESHOLDS
        )


def _pictures(
    study: Results, table: pd.DataFrame, costs: pd.DataFrame, folder: Path
) -> Iterator[Picture]:
    drawn = {
        "Paired differences to the baseline.": figures.forest(study, table, folder),
        "Test accuracy per epoch.": curves.accuracy_per_epoch(study, folder),
        "Accuracy over each factor's values; thin lines are seeds, the white dot is the baseline.": (
            figures.factor_curves(study, folder)
        ),
        "Mean accuracy of each cell of the product.": figures.heat_map(study, folder),
        "Accuracy against the work of a trial.": figures.accuracy_against_work(
            study, table, costs, folder
        ),
        "How the division finds clean samples: mean of the networks, band of ± one sd over seeds.": (
            curves.division_per_epoch(study, folder)
        ),
        "Losses of right and wrong labels in network 0 of the baseline (of all arms if few), with the mixture.": (
            division.loss_histograms(study, folder)
        ),
        "Classes that stay at a threshold on the baseline's clean probability.": (
            division.class_histograms(study, folder)
        ),
    }
    return (Picture(caption, paths) for caption, paths in drawn.items() if paths)


def _counts(whole: Results, begun: Results) -> str:
    """How many trials have finished, and the settings that the report leaves out."""
    left_out = [setting for setting in whole.settings if setting not in begun.settings]
    counts = f"{len(whole.done)} of {len(whole.trials)} trials finished"
    return f"{counts}, none of the settings {', '.join(left_out)}" if left_out else counts


def _facts(whole: Results, study: Results, table: pd.DataFrame) -> dict[str, Any]:
    """What the page says besides tables and figures."""
    unfinished = study.trials[study.trials["state"] != "done"]
    collapsed = study.done[study.done["collapsed"]]
    return {
        "study": study.study,
        "counts": _counts(whole, study),
        "margin": study.margin,
        "verdicts": verdicts.summary(table, study.margin),
        "reach": list(verdicts.reach(table)),
        "unfinished": [f"{t.folder}: {t.state}: {t.reason}" for t in unfinished.itertuples()],
        "collapsed": [f"{t['folder']}: {t[LAST10]:.2f} %" for t in collapsed.to_dict("records")],
        "unexpected": list(unexpected_files.unexpected(whole)),
        "mixed": mixed(study.fingerprints()),
        "file": _read(study.root / names.STUDY),
        "runs": _provenance(study.root / names.PROVENANCE),
    }


def _markdown(blocks: list[Block], facts: dict[str, Any]) -> Iterator[str]:
    yield f"# {facts['study']}\n\n{facts['counts']}.\n"
    yield from (
        f"- {sentence}" for sentences in facts["verdicts"].values() for sentence in sentences
    )
    yield ""
    yield from (f"{sentence}.\n" for sentence in facts["reach"])
    for block in blocks:
        yield f"## {block.title}\n\n{formats.markdown(block.table)}"
        if block.note:
            yield f"{block.note}\n"
    for title, key in SECTIONS.items():
        if facts[key]:
            yield f"## {title}\n"
            yield from (f"- {' '.join(line.split())}" for line in facts[key])
            yield ""


SECTIONS = {
    "Trials without a result": "unfinished",
    "Runs that collapsed": "collapsed",
    "Files that the study does not expect": "unexpected",
    "Not made alike": "mixed",
}


RUN = {
    "time",
    "host",
    "command",
    "system",
    "cpus",
    "python",
    "versions",
    "git_revision",
    "git_diff",
}
"""What the page says of a run."""


def _provenance(path: Path) -> list[dict[str, Any]]:
    try:
        runs = json.loads(path.read_bytes())
        return [run for run in runs if isinstance(run, dict) and run.keys() >= RUN]
    except (OSError, ValueError, TypeError):
        return []


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _template() -> jinja2.Template:
    source = Path(__file__).with_name("page.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.globals["sections"] = SECTIONS
    return environment.from_string(source)
