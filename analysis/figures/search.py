"""Figures of a search's full-length trials, in part drawn by Optuna."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib
import numpy as np
import optuna
import pandas as pd
from matplotlib import pyplot
from matplotlib.figure import Figure
from optuna.visualization import matplotlib as plots

from analysis.figures.style import PALETTE, save
from analysis.stats.search import accuracy_place, complete, history
from analysis.stats.search_importance import by_accuracy
from trainable.storage.names import VALIDATION_ACCURACY

LABEL = f"{VALIDATION_ACCURACY} %"
COLOURS = {"fANOVA": PALETTE[4], "PED-ANOVA": PALETTE[0]}


def write(study: optuna.Study, importances: pd.DataFrame, folder: Path) -> list[Path]:
    """Write all figures that a search's trials allow as PNG and SVG; return the files."""
    done = complete(study)
    if not done:
        return []
    full = by_accuracy(done, accuracy_place(study))
    files = _save(_history(study), folder / "history")
    files += _parameter_plots(full, importances, folder)
    if len(importances):
        files += _save(_importance(importances), folder / "importance")
    if len(study.directions) > 1:
        names = [metric["name"] for metric in study.user_attrs["definition"]["metric"]]
        with _pyplot_restored():
            plots.plot_pareto_front(study, target_names=names)
            files += _save_drawn(folder / "pareto_front")
    return files


def _parameter_plots(study: optuna.Study, importances: pd.DataFrame, folder: Path) -> list[Path]:
    """Draw Optuna's plots of the accuracy over the parameters that took more than one value."""
    files: list[Path] = []
    parameters = _varied(study)
    if parameters:
        with _pyplot_restored():
            plots.plot_slice(study, parameters, target_name=LABEL)
            files += _save_drawn(folder / "slices")
    if len(parameters) > 1:
        first, second = _leading(parameters, importances)
        with _pyplot_restored():
            plots.plot_contour(study, [first, second], target_name=LABEL)
            files += _save_drawn(folder / "contour")
        with _pyplot_restored():
            plots.plot_parallel_coordinate(study, parameters, target_name=LABEL)
            files += _save_drawn(folder / "parallel_coordinates")
    return files


def _varied(study: optuna.Study) -> list[str]:
    """Return the parameters that took more than one value."""
    values: dict[str, set[object]] = {}
    for trial in study.get_trials(deepcopy=False):
        for name, value in trial.params.items():
            values.setdefault(name, set()).add(value)
    return [name for name, found in values.items() if len(found) > 1]


def _leading(parameters: list[str], importances: pd.DataFrame) -> tuple[str, str]:
    """Return the two most important parameters, if importances are known."""
    known = pd.Series(dtype=float)
    if len(importances):
        known = importances.groupby("parameter")["importance"].mean()
    ordered = sorted(parameters, key=lambda name: -float(known.get(name, 0.0)))
    return ordered[0], ordered[1]


def _history(study: optuna.Study) -> Figure:
    """Plot the accuracy of each full-length trial, and the best so far."""
    table = history(study)
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axis = figure.subplots()
    axis.plot(
        table["number"],
        table["accuracy"],
        "o",
        color="#56B4E9",
        label="full-length trial",
    )
    axis.step(
        table["number"],
        table["best"],
        where="post",
        color="black",
        label="best so far",
    )
    axis.set_xlabel("trial")
    axis.set_ylabel(f"{LABEL} (search score, not a result)")
    axis.grid(alpha=0.3)
    axis.legend(fontsize="small")
    return figure


def _importance(table: pd.DataFrame) -> Figure:
    """Plot importances as bars, with the spread over resampled trials, by both methods."""
    means = table.groupby("parameter")["importance"].mean()
    parameters = list(means.sort_values().index)
    figure = Figure(figsize=(6, 1.2 + 0.6 * len(parameters)), layout="constrained")
    axis = figure.subplots()
    for k, (method, colour) in enumerate(COLOURS.items()):
        part = table[table["method"] == method].set_index("parameter").reindex(parameters)
        place = np.arange(len(parameters)) + 0.2 - 0.4 * k
        value = part["importance"].to_numpy(float)
        # The percentiles of resampled values need not enclose the value itself.
        below = np.minimum(part["low"], value) - value
        above = np.maximum(part["high"], value) - value
        axis.barh(
            place,
            value,
            height=0.36,
            color=colour,
            label=method,
            xerr=np.abs(np.vstack([below, above])),
            ecolor="black",
            capsize=2,
        )
    axis.set_yticks(range(len(parameters)), parameters)
    count = table["n"].iloc[0]
    axis.set_xlabel(f"importance ({count} trials; lines: 5th to 95th percentile)")
    axis.legend(fontsize="small")
    return figure


def _save_drawn(stem: Path) -> list[Path]:
    """Save a figure that Optuna has drawn with pyplot."""
    figure = pyplot.gcf()
    width = max(figure.get_size_inches()[0], 7)
    figure.set_size_inches(width, 4.5)
    return _save(figure, stem)


@contextmanager
def _pyplot_restored() -> Iterator[None]:
    """Restore the state of pyplot afterwards.

    Optuna's plots set a style for the whole process, leave figures open and warn that they are
    experimental.
    """
    before = set(pyplot.get_fignums())
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            for number in set(pyplot.get_fignums()) - before:
                pyplot.close(number)


def _save(figure: Figure, stem: Path) -> list[Path]:
    """Save one of Optuna's figures, which need a tight box because they have no layout engine."""
    with matplotlib.rc_context({"savefig.bbox": "tight"}):
        return save(figure, stem)
