"""Forest plot: the difference of each arm from the baseline."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.figures.clipping import limits
from analysis.figures.style import panels, save, title
from analysis.results.measure import WITHHELD
from analysis.results.read import Results

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


def _differences(axis: Axes, rows: pd.DataFrame, margin: float) -> None:
    """Draw a setting's differences over the band of ± margin, with a rule between families.

    An interval beyond the axis ends in an arrow; a difference beyond it is written.
    """
    ends = limits(rows, margin)
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
        for end, marker in ((interval[0], "<"), (interval[1], ">")):
            if ends.beyond(end):
                axis.plot(ends.inside(end), y, marker, color="black", clip_on=False)
        if ends.beyond(difference):
            axis.text(
                ends.inside(difference),
                y - 0.15,
                f"{difference:+.2f}  ".replace("-", "−"),
                ha="right" if difference > 0 else "left",
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
    axis.set_xlim(ends.low, ends.high)


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
