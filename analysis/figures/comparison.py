"""Figures that compare arms: the forest plot, factor curves, accuracy against work, a product's heat map."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.figures.style import look, panels, save, title
from analysis.results.read import Results, value_at
from analysis.stats import interactions
from analysis.stats.comparison import BASELINE
from analysis.stats.paired import mean_interval
from trainable.storage.names import FORWARDS, LAST10

ACCURACY = "last-10 test accuracy %"


def forest(results: Results, table: pd.DataFrame, folder: Path) -> list[Path]:
    """Paired differences with their t intervals, an arm a line, a panel a setting; filled where an arm matters."""
    compared = table[table["pairs"].fillna(0) > 0]
    if compared.empty:
        return []
    settings = list(compared["setting"].unique())
    tallest = max(compared.groupby("setting").size())
    figure, axes = panels(1, len(settings), 6.4, 1.2 + 0.3 * tallest)
    for axis, setting in zip(axes[0], settings, strict=True):
        rows = compared[compared["setting"] == setting].reset_index(drop=True)
        axis.axvspan(-results.margin, results.margin, color="0.9", lw=0)
        axis.axvline(0, color="black", lw=1)
        for y, row in enumerate(rows.to_dict("records")):
            line = [row["low"], row["high"]] if pd.notna(row["low"]) else [row["difference"]] * 2
            axis.plot(line, [y, y], color="black", lw=1.5, solid_capstyle="butt")
            face = {"matters": "black", "equivalent": "0.6"}.get(row["verdict"], "white")
            axis.plot(row["difference"], y, "o", color="black", markerfacecolor=face, ms=6)
        for y in np.flatnonzero(rows["family"].ne(rows["family"].shift())[1:]) + 0.5:
            axis.axhline(y, color="0.7", lw=0.8, ls=":")
        axis.set_yticks(range(len(rows)), rows["arm"])
        axis.set_ylim(len(rows) - 0.5, -0.5)
        axis.set_xlabel("arm − baseline, points of last-10 test accuracy, 95 % t interval")
        axis.set_title(title(setting))
    handles = [
        Line2D([], [], marker="o", ls="", color="black", markerfacecolor=face, label=text)
        for face, text in (
            ("black", "matters"),
            ("0.6", f"equivalent within ±{results.margin:g} (band)"),
            ("white", "undecided"),
        )
    ]
    figure.legend(
        handles=handles, loc="outside lower center", ncols=3, fontsize="small", frameon=False
    )
    return save(figure, folder / "forest")


def factor_curves(results: Results, folder: Path) -> list[Path]:
    """Accuracy over each factor's values: the mean with its t interval, and a thin line a seed."""
    one_at_a_time = [path for path in results.factors if (results.trials["family"] == path).any()]
    if not one_at_a_time or LAST10 not in results.done:
        return []
    figure, axes = panels(len(results.settings), len(one_at_a_time), 4, 3.2, sharey="row")
    for line, setting in zip(axes, results.settings, strict=True):
        for axis, path in zip(line, one_at_a_time, strict=True):
            _factor(axis, results, setting, path)
            axis.set_title(title(setting, path))
            axis.set_xlabel(path.rsplit(".", 1)[-1])
        line[0].set_ylabel(ACCURACY)
    return save(figure, folder / "factors")


def _factor(axis: Axes, results: Results, setting: str, path: str) -> None:
    done = results.done[results.done["setting"] == setting]
    points = []
    for arm in [BASELINE, *done.loc[done["family"] == path, "arm"].unique()]:
        trial = results.first_done(setting, str(arm))
        if trial is not None:
            points.append((value_at(results.config(trial), path), str(arm)))
    numeric = all(
        isinstance(value, int | float) and not isinstance(value, bool) for value, _ in points
    )
    points = sorted(points) if numeric else points
    places = [value if numeric else k for k, (value, _) in enumerate(points)]
    values = done.pivot_table(index="seed", columns="arm", values=LAST10).reindex(
        columns=[arm for _, arm in points]
    )
    for seed in values.index:
        axis.plot(places, values.loc[seed], color="0.75", lw=0.8)
    for place, (_, arm) in zip(places, points, strict=True):
        mean, low, high = mean_interval(values[arm].dropna().to_numpy(float))
        axis.plot([place] * 2, [low, high], color="black", lw=1.5)
        axis.plot(
            place, mean, "o", color="black", markerfacecolor="white" if arm == BASELINE else "black"
        )
    if points and not numeric:
        axis.set_xticks(places, [str(value) for value, _ in points])


def accuracy_against_work(
    results: Results, table: pd.DataFrame, costs: pd.DataFrame, folder: Path
) -> list[Path]:
    """Mean accuracy with its t interval over the work of a trial, a point an arm, a panel a setting."""
    if FORWARDS not in costs or costs[FORWARDS].isna().all():
        return []
    figure, axes = panels(1, len(results.settings), 6.4, 4.2, sharey=True)
    joined = table.merge(costs[["setting", "arm", FORWARDS]], on=["setting", "arm"]).dropna(
        subset=["mean"]
    )
    arms = [BASELINE, *(arm for arm in table["arm"].unique() if arm != BASELINE)]
    shown: dict[str, Line2D] = {}
    for axis, setting in zip(axes[0], results.settings, strict=True):
        for row in joined[joined["setting"] == setting].to_dict("records"):
            style = {**look(arms.index(row["arm"])), "linestyle": "none"}
            (shown[row["arm"]],) = axis.plot(row[FORWARDS] / 1e6, row["mean"], **style)
            axis.plot(
                [row[FORWARDS] / 1e6] * 2,
                [row["mean_low"], row["mean_high"]],
                color=style["color"],
                lw=1,
            )
        axis.set_xlabel("million image forwards a trial (a backward counts as two)")
        axis.set_title(title(setting))
    axes[0, 0].set_ylabel(f"{ACCURACY}, 95 % t interval")
    if shown:
        figure.legend(
            list(shown.values()), list(shown), fontsize="x-small", loc="outside right upper"
        )
    return save(figure, folder / "accuracy_against_work")


def heat_map(results: Results, folder: Path) -> list[Path]:
    """Mean accuracy of each cell of a product of two factors."""
    products = {setting: interactions.product(results, setting) for setting in results.settings}
    grids = {setting: cells for setting, cells in products.items() if cells}
    if len(results.factors) != 2 or not grids or LAST10 not in results.done:
        return []
    figure, axes = panels(1, len(grids), 4.6, 3.8)
    for axis, (setting, cells) in zip(axes[0], grids.items(), strict=True):
        rows, columns = (_ordered(cell[k] for cell in cells.values()) for k in (0, 1))
        means = results.done[results.done["setting"] == setting].groupby("arm")[LAST10].mean()
        grid = np.full((len(rows), len(columns)), np.nan)
        for arm, (row, column) in cells.items():
            grid[rows.index(row), columns.index(column)] = means.get(arm, np.nan)
        image = axis.imshow(grid, cmap="cividis", aspect="auto")
        for y, x in np.argwhere(~np.isnan(grid)):
            value = grid[y, x]
            dark = value < np.nanmean(grid)
            axis.text(
                x, y, f"{value:.1f}", ha="center", va="center", color="white" if dark else "black"
            )
        axis.grid(False)
        axis.set_yticks(range(len(rows)), map(str, rows))
        axis.set_xticks(range(len(columns)), map(str, columns))
        axis.set_ylabel(results.factors[0])
        axis.set_xlabel(results.factors[1])
        axis.set_title(title(setting))
        figure.colorbar(image, ax=axis, label=ACCURACY)
    return save(figure, folder / "product")


def _ordered(values: Any) -> list[Any]:
    """Distinct values, numbers by size, others in their order."""
    distinct = list(dict.fromkeys(values))
    return (
        sorted(distinct) if all(isinstance(value, int | float) for value in distinct) else distinct
    )
