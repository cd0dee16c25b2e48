"""Figures of a search over its full-length trials; Optuna's own plots where they serve."""

import warnings
from collections.abc import Callable, Iterator
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
from analysis.stats.search import accuracy_place, by_accuracy, complete, history
from trainable.storage.names import VALIDATION_ACCURACY

LABEL = f"{VALIDATION_ACCURACY} %"
COLOURS = {"fANOVA": PALETTE[4], "PED-ANOVA": PALETTE[0]}


def write(study: optuna.Study, importances: pd.DataFrame, folder: Path) -> list[Path]:
    """Write every figure that a search's trials allow, as PNG and SVG, and return the files."""
    done = complete(study)
    if not done:
        return []
    full = by_accuracy(done, accuracy_place(study))
    parameters = _varied(full)
    files = _save(_history(study), folder / "history")
    if parameters:
        files += _drawn(
            lambda: plots.plot_slice(full, parameters, target_name=LABEL), folder / "slices"
        )
    if len(parameters) > 1:
        first, second = _leading(parameters, importances)
        files += _drawn(
            lambda: plots.plot_contour(full, [first, second], target_name=LABEL), folder / "contour"
        )
        files += _drawn(
            lambda: plots.plot_parallel_coordinate(full, parameters, target_name=LABEL),
            folder / "parallel_coordinates",
        )
    if len(importances):
        files += _save(_importance(importances), folder / "importance")
    if len(study.directions) > 1:
        names = [metric["name"] for metric in study.user_attrs["definition"]["metric"]]
        files += _drawn(
            lambda: plots.plot_pareto_front(study, target_names=names), folder / "pareto_front"
        )
    return files


def _varied(study: optuna.Study) -> list[str]:
    """Parameters that took more than one value."""
    values: dict[str, set[object]] = {}
    for trial in study.get_trials(deepcopy=False):
        for name, value in trial.params.items():
            values.setdefault(name, set()).add(value)
    return [name for name, found in values.items() if len(found) > 1]


def _leading(parameters: list[str], importances: pd.DataFrame) -> tuple[str, str]:
    """The two parameters that matter most, as far as that is known."""
    known = (
        importances.groupby("parameter")["importance"].mean()
        if len(importances)
        else pd.Series(dtype=float)
    )
    first, second, *_ = sorted(parameters, key=lambda name: -float(known.get(name, 0.0)))
    return first, second


def _history(study: optuna.Study) -> Figure:
    table = history(study)
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axis = figure.subplots()
    axis.plot(table["number"], table["accuracy"], "o", color="#56B4E9", label="full-length trial")
    axis.step(table["number"], table["best"], where="post", color="black", label="best so far")
    axis.set_xlabel("trial")
    axis.set_ylabel(f"{LABEL} (search score, not a result)")
    axis.grid(alpha=0.3)
    axis.legend(fontsize="small")
    return figure


def _importance(table: pd.DataFrame) -> Figure:
    """Bars with the spread over resampled trials, the two methods side by side."""
    parameters = list(table.groupby("parameter")["importance"].mean().sort_values().index)
    figure = Figure(figsize=(6, 1.2 + 0.6 * len(parameters)), layout="constrained")
    axis = figure.subplots()
    for k, (method, colour) in enumerate(COLOURS.items()):
        part = table[table["method"] == method].set_index("parameter").reindex(parameters)
        place = np.arange(len(parameters)) + 0.2 - 0.4 * k
        value = part["importance"].to_numpy(float)
        # The percentiles of resampled values need not enclose the value itself.
        spread = np.abs(
            np.vstack(
                [np.minimum(part["low"], value) - value, np.maximum(part["high"], value) - value]
            )
        )
        axis.barh(
            place,
            value,
            height=0.36,
            color=colour,
            label=method,
            xerr=spread,
            ecolor="black",
            capsize=2,
        )
    axis.set_yticks(range(len(parameters)), parameters)
    axis.set_xlabel(f"importance ({table['n'].iloc[0]} trials; lines: 5th to 95th percentile)")
    axis.legend(fontsize="small")
    return figure


def _drawn(draw: Callable[[], object], stem: Path) -> list[Path]:
    """Save what one of Optuna's plots has drawn, and leave pyplot as it was."""
    with _untouched():
        draw()
        figure = pyplot.gcf()
        figure.set_size_inches(max(figure.get_size_inches()[0], 7), 4.5)
        return _save(figure, stem)


@contextmanager
def _untouched() -> Iterator[None]:
    """Optuna's plots choose a style for the whole process, open figures and call themselves experimental."""
    before = set(pyplot.get_fignums())
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            for number in {*pyplot.get_fignums()} - before:
                pyplot.close(number)


def _save(figure: Figure, stem: Path) -> list[Path]:
    """Optuna's figures have no layout engine: their labels need the tight box."""
    with matplotlib.rc_context({"savefig.bbox": "tight"}):
        return save(figure, stem)
