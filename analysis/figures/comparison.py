"""Figures of accuracies: over a factor's values, over work, in a product of two factors."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D

from analysis.figures.style import look, panels, save, title
from analysis.results.read import Results, value_at
from analysis.results.study_plan import BASELINE
from analysis.stats import interactions
from analysis.stats.paired import mean_interval
from trainable.storage.names import FORWARDS, LAST10


def accuracy_label(results: Results) -> str:
    """Return the label of an axis of accuracies."""
    return f"last-10 {results.measure.header} %"


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
        line[0].set_ylabel(accuracy_label(results))
    return save(figure, folder / "factors")


@dataclass(frozen=True)
class Point:
    """The accuracy of an arm at a value.

    Attributes:
        arm: its name.
        value: of the factor, or of the work.
        mean, low, high: over seeds, with the 95 % t interval, percent.
        seeds: (n,) accuracy of each seed; NaN: it has none.
    """

    arm: str
    value: Any
    mean: float
    low: float
    high: float
    seeds: np.ndarray

    @property
    def is_number(self) -> bool:
        """Whether the value is a number; a switch is not."""
        return isinstance(self.value, int | float) and not isinstance(self.value, bool)


def factor_points(results: Results, setting: str, path: str) -> list[Point]:
    """Return the accuracies over one factor's values, in the order of numbers."""
    done = results.done[results.done["setting"] == setting]
    points = _points(results, setting, path)
    of_arms = done[done["arm"].isin([arm for _, arm in points])]
    accuracies = of_arms.pivot_table(index="seed", columns="arm", values=LAST10)
    found = []
    for value, arm in points:
        if arm in accuracies:
            mean, low, high = mean_interval(accuracies[arm].dropna().to_numpy(float))
            seeds = accuracies[arm].to_numpy(float)
            found.append(Point(arm, value, mean, low, high, seeds))
    if all(point.is_number for point in found):
        found.sort(key=lambda point: float(point.value))
    return found


def _factor(axis: Axes, results: Results, setting: str, path: str) -> None:
    """Draw accuracy over one factor's values; the baseline's point is white."""
    points = factor_points(results, setting, path)
    if not points:
        return
    numeric = all(point.is_number for point in points)
    places = [float(point.value) if numeric else float(k) for k, point in enumerate(points)]
    # One line with gaps between the seeds: thousands of lines take most of a report's time.
    gap = np.full_like(points[0].seeds, np.nan)
    of_seeds = np.column_stack([*(point.seeds for point in points), gap]).ravel()
    axis.plot(np.tile([*places, np.nan], len(gap)), of_seeds, color="0.75", lw=0.8)
    for place, point in zip(places, points, strict=True):
        face = "white" if point.arm == BASELINE else "black"
        axis.plot([place, place], [point.low, point.high], color="black", lw=1.5)
        axis.plot(
            place,
            point.mean,
            "o",
            color="black",
            markerfacecolor=face,
        )
    if not numeric:
        axis.set_xticks(places, [str(point.value) for point in points])


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


def work_points(
    results: Results, table: pd.DataFrame, costs: pd.DataFrame, setting: str
) -> dict[int, Point]:
    """Return the arms of a setting over their work, million forward passes; 0 is the baseline.

    An arm has the same number in all settings.
    """
    if FORWARDS not in costs or costs[FORWARDS].isna().all():
        return {}
    joined = table.merge(costs[["setting", "arm", FORWARDS]], on=["setting", "arm"])
    joined = joined[joined["setting"] == setting].dropna(subset=["mean", FORWARDS])
    arms = list(dict.fromkeys([BASELINE, *table["arm"].unique()]))
    found = {}
    for row in joined.to_dict("records"):
        found[arms.index(row["arm"])] = Point(
            row["arm"],
            row[FORWARDS] / 1e6,
            row["mean"],
            row["mean_low"],
            row["mean_high"],
            np.empty(0),
        )
    return found


def accuracy_against_work(
    results: Results, table: pd.DataFrame, costs: pd.DataFrame, folder: Path
) -> list[Path]:
    """Plot mean accuracy with its t interval over the work of a trial.

    There is one point per arm and one panel per setting.
    """
    if FORWARDS not in costs or costs[FORWARDS].isna().all():
        return []
    figure, axes = panels(
        1,
        len(results.settings),
        6.4,
        4.2,
        sharey=True,
    )
    shown: dict[str, Line2D] = {}
    for axis, setting in zip(axes[0], results.settings, strict=True):
        for number, point in work_points(results, table, costs, setting).items():
            shown[point.arm] = _work_point(axis, point, look(number))
        axis.set_xlabel("million image forward passes per trial (a backward pass counts as two)")
        axis.set_title(title(setting))
    axes[0, 0].set_ylabel(f"{accuracy_label(results)}, 95 % t interval")
    if shown:
        figure.legend(
            list(shown.values()), list(shown), fontsize="small", loc="outside right upper"
        )
    return save(figure, folder / "accuracy_against_work")


def _work_point(axis: Axes, point: Point, style: dict[str, Any]) -> Line2D:
    """Draw an arm's mean accuracy over its work, with the interval, and return the point."""
    style["linestyle"] = "none"
    (drawn,) = axis.plot(point.value, point.mean, **style)
    axis.plot(
        [point.value, point.value],
        [point.low, point.high],
        color=style["color"],
        lw=1,
    )
    return drawn


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
        figure.colorbar(image, ax=axis, label=accuracy_label(results))
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
