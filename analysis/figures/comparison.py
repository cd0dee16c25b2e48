"""Figures that compare arms.

Forest plot, factor curves, accuracy against work, heat map of a product of factors.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from analysis.figures.style import look, panels, save, title
from analysis.results.measure import WITHHELD
from analysis.results.read import Results, value_at
from analysis.results.study_plan import BASELINE
from analysis.stats import interactions
from analysis.stats.paired import mean_interval
from trainable.storage.names import FORWARDS, LAST10

FACES = {"better": "black", "worse": "black", "equivalent": "0.6"}
"""Verdict → colour of a point in the forest plot; others are white."""


def forest(
    results: Results, table: pd.DataFrame, folder: Path, unit: str | None = None
) -> list[Path]:
    """Plot paired differences with their intervals, one line per arm, one panel per setting.

    The points of arms that are better or worse are filled.

    Args:
        results: the study.
        table: the comparison, of which difference, low and high are drawn.
        folder: the figures' folder.
        unit: what the differences are points of; None: what the study measures.
    """
    compared = table[table["pairs"].fillna(0) > 0]
    if compared.empty:
        return []
    settings = list(compared["setting"].unique())
    tallest = max(compared.groupby("setting").size())
    figure, axes = panels(1, len(settings), 6.4, 1.2 + 0.3 * tallest)
    for axis, setting in zip(axes[0], settings, strict=True):
        rows = compared[compared["setting"] == setting].reset_index(drop=True)
        _differences(axis, rows, results.margin)
        axis.set_xlabel(f"arm − baseline, points of {unit or f'last-10 {results.measure.header}'}")
        axis.set_title(title(setting))
    figure.legend(
        handles=_verdict_handles(compared, results.margin),
        loc="outside lower center",
        ncols=3,
        fontsize="small",
        frameon=False,
    )
    return save(figure, folder / "forest")


def _accuracy(results: Results) -> str:
    """Return the label of an axis of accuracies."""
    return f"last-10 {results.measure.header} %"


def _differences(axis: Axes, rows: pd.DataFrame, margin: float) -> None:
    """Draw a setting's differences over the band of ± margin, with a rule between families."""
    axis.axvspan(-margin, margin, color="0.9", lw=0)
    axis.axvline(0, color="black", lw=1)
    for y, row in enumerate(rows.to_dict("records")):
        difference = row["difference"]
        interval = [row["low"], row["high"]]
        if not np.isfinite(interval).all():
            interval = [difference, difference]
        axis.plot(
            interval,
            [y, y],
            color="black",
            lw=1.5,
            solid_capstyle="butt",
        )
        face = FACES.get(row["verdict"], "white")
        axis.plot(
            difference,
            y,
            "o",
            color="black",
            markerfacecolor=face,
            ms=6,
        )
    family_begins = rows["family"].ne(rows["family"].shift())
    for y in np.flatnonzero(family_begins[1:]) + 0.5:
        axis.axhline(y, color="0.7", lw=0.8, ls=":")
    axis.set_yticks(range(len(rows)), rows["arm"])
    axis.set_ylim(len(rows) - 0.5, -0.5)


def _verdict_handles(table: pd.DataFrame, margin: float) -> list[Line2D]:
    """Return the entries of the legend: a point for each verdict that may be given."""
    labels = {
        "better": "better or worse",
        "equivalent": f"equivalent within ±{margin:g} (band)",
        "inconclusive": "inconclusive",
    }
    withheld = table["verdict"] == WITHHELD
    if withheld.all():
        labels = {}
    if withheld.any():
        labels[WITHHELD] = "verdict withheld: test labels are unchecked"
    handles = []
    for verdict, label in labels.items():
        face = FACES.get(verdict, "white")
        handle = Line2D(
            [],
            [],
            marker="o",
            ls="",
            color="black",
            markerfacecolor=face,
            label=label,
        )
        handles.append(handle)
    return handles


def factor_curves(results: Results, folder: Path) -> list[Path]:
    """Plot accuracy over each factor's values: mean with t interval, a thin line per seed."""
    one_at_a_time = [path for path in results.factors if (results.trials["family"] == path).any()]
    if not one_at_a_time or LAST10 not in results.done:
        return []
    figure, axes = panels(
        len(results.settings),
        len(one_at_a_time),
        4,
        3.2,
        sharey="row",
    )
    for line, setting in zip(axes, results.settings, strict=True):
        for axis, path in zip(line, one_at_a_time, strict=True):
            _factor(axis, results, setting, path)
            axis.set_title(title(setting, path))
            axis.set_xlabel(path.rsplit(".", 1)[-1])
        line[0].set_ylabel(_accuracy(results))
    return save(figure, folder / "factors")


def _factor(axis: Axes, results: Results, setting: str, path: str) -> None:
    """Draw accuracy over one factor's values; the baseline's point is white."""
    done = results.done[results.done["setting"] == setting]
    points = _points(results, setting, path)
    numeric = all(_is_number(value) for value, _ in points)
    if numeric:
        points.sort()
    factor_values = []
    arms = []
    for value, arm in points:
        factor_values.append(value)
        arms.append(arm)
    places = list(range(len(points)))
    if numeric:
        places = factor_values
    of_arms = done[done["arm"].isin(arms)]
    accuracies = of_arms.pivot_table(index="seed", columns="arm", values=LAST10)
    accuracies = accuracies.reindex(columns=arms)
    # One line with gaps between the seeds: thousands of lines take most of a report's time.
    of_seeds = accuracies.assign(gap=np.nan).to_numpy(float).ravel()
    axis.plot(np.tile([*places, np.nan], len(accuracies)), of_seeds, color="0.75", lw=0.8)
    for place, arm in zip(places, arms, strict=True):
        over_seeds = accuracies[arm].dropna()
        mean, low, high = mean_interval(over_seeds.to_numpy(float))
        face = "white" if arm == BASELINE else "black"
        axis.plot([place, place], [low, high], color="black", lw=1.5)
        axis.plot(
            place,
            mean,
            "o",
            color="black",
            markerfacecolor=face,
        )
    if points and not numeric:
        axis.set_xticks(places, list(map(str, factor_values)))


def _points(results: Results, setting: str, path: str) -> list[tuple[Any, str]]:
    """Return (value, arm) of the baseline and of the arms that change only this factor."""
    done = results.done[results.done["setting"] == setting]
    of_factor = done[done["family"] == path]
    points = []
    for arm in [BASELINE, *of_factor["arm"].unique()]:
        trial = results.first_done(setting, str(arm))
        if trial is not None:
            value = value_at(results.config(trial), path)
            points.append((value, str(arm)))
    return points


def _is_number(value: Any) -> bool:
    """Return whether a factor's value is a number; a switch is not."""
    if isinstance(value, bool):
        return False
    return isinstance(value, int | float)


def accuracy_against_work(
    results: Results, table: pd.DataFrame, costs: pd.DataFrame, folder: Path
) -> list[Path]:
    """Plot mean accuracy with its t interval over the work of a trial.

    There is one point per arm and one panel per setting.
    """
    if FORWARDS not in costs or costs[FORWARDS].isna().all():
        return []
    keys = ["setting", "arm"]
    joined = table.merge(costs[[*keys, FORWARDS]], on=keys)
    joined = joined.dropna(subset=["mean"])
    # The baseline is first in any case, because number 0 has the baseline's style.
    arms = list(dict.fromkeys([BASELINE, *table["arm"].unique()]))
    figure, axes = panels(
        1,
        len(results.settings),
        6.4,
        4.2,
        sharey=True,
    )
    shown: dict[str, Line2D] = {}
    for axis, setting in zip(axes[0], results.settings, strict=True):
        rows = joined[joined["setting"] == setting]
        for row in rows.to_dict("records"):
            arm = row["arm"]
            shown[arm] = _work_point(axis, row, look(arms.index(arm)))
        axis.set_xlabel("million image forward passes per trial (a backward pass counts as two)")
        axis.set_title(title(setting))
    axes[0, 0].set_ylabel(f"{_accuracy(results)}, 95 % t interval")
    if shown:
        figure.legend(
            list(shown.values()), list(shown), fontsize="x-small", loc="outside right upper"
        )
    return save(figure, folder / "accuracy_against_work")


def _work_point(axis: Axes, row: dict[Any, Any], style: dict[str, Any]) -> Line2D:
    """Draw an arm's mean accuracy over its work, with the interval, and return the point."""
    millions = row[FORWARDS] / 1e6
    style["linestyle"] = "none"
    (point,) = axis.plot(millions, row["mean"], **style)
    axis.plot(
        [millions, millions],
        [row["mean_low"], row["mean_high"]],
        color=style["color"],
        lw=1,
    )
    return point


def heat_map(results: Results, folder: Path) -> list[Path]:
    """Plot the mean accuracy of each cell of a product of two factors as a heat map."""
    grids = {}
    for setting in results.settings:
        cells = interactions.product(results, setting)
        if cells:
            grids[setting] = cells
    if len(results.factors) != 2 or not grids or LAST10 not in results.done:
        return []
    figure, axes = panels(1, len(grids), 4.6, 3.8)
    for axis, (setting, cells) in zip(axes[0], grids.items(), strict=True):
        done = results.done[results.done["setting"] == setting]
        means = done.groupby("arm")[LAST10].mean()
        image = _draw_cells(axis, cells, means)
        axis.set_ylabel(results.factors[0])
        axis.set_xlabel(results.factors[1])
        axis.set_title(title(setting))
        figure.colorbar(image, ax=axis, label=_accuracy(results))
    return save(figure, folder / "product")


def _draw_cells(axis: Axes, cells: dict[str, interactions.Cell], means: pd.Series) -> AxesImage:
    """Draw the mean of each arm at its values of the two factors."""
    rows = _ordered(row for row, _ in cells.values())
    columns = _ordered(column for _, column in cells.values())
    grid = np.full((len(rows), len(columns)), np.nan)
    for arm, (row, column) in cells.items():
        y = rows.index(row)
        x = columns.index(column)
        grid[y, x] = means.get(arm, np.nan)
    image = axis.imshow(grid, cmap="cividis", aspect="auto")
    _label_cells(axis, grid)
    axis.grid(False)
    axis.set_yticks(range(len(rows)), map(str, rows))
    axis.set_xticks(range(len(columns)), map(str, columns))
    return image


def _label_cells(axis: Axes, grid: np.ndarray) -> None:
    """Write each known value of a heat map into its cell, in white on dark cells."""
    for y, x in np.argwhere(~np.isnan(grid)):
        value = grid[y, x]
        dark = value < np.nanmean(grid)
        color = "white" if dark else "black"
        axis.text(
            x,
            y,
            f"{value:.1f}",
            ha="center",
            va="center",
            color=color,
        )


def _ordered(values: Iterable[Any]) -> list[Any]:
    """Return the distinct values, sorted if they are numbers."""
    distinct = list(dict.fromkeys(values))
    if all(isinstance(value, int | float) for value in distinct):
        distinct.sort()
    return distinct
