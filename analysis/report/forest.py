"""The plot of paired differences on the page, with the numbers that it shows."""

from collections.abc import Iterator
from dataclasses import dataclass

import pandas as pd

from analysis.figures.drawn_forest import forests
from analysis.figures.style import title
from analysis.report import cells
from analysis.results.measure import WITHHELD

BAND = "Band: ±{margin:g} points, within which an arm is equivalent to the baseline."
BROKEN = (
    "The axis is cut, so that the other arms can be told apart: an arrow marks an interval that "
    "ends beyond it, and a difference beyond it is written."
)
POINTS = "Full points are better or worse, grey ones equivalent, hollow ones inconclusive."
UNJUDGED = "Points are hollow: verdicts are withheld, because the test labels are unchecked."


@dataclass(frozen=True)
class Row:
    """An arm: its drawing, its numbers, and whether it is the first of its family."""

    arm: str
    svg: str
    difference: str
    verdict: str
    begins: bool


@dataclass(frozen=True)
class ForestTable:
    """The plot of a setting."""

    title: str
    axis: str
    unit: str
    rows: list[Row]
    note: str


def forest_tables(table: pd.DataFrame, margin: float, unit: str) -> Iterator[ForestTable]:
    """Yield the plot of each setting with compared arms.

    Args:
        table: the comparison, of which difference, low, high and verdict are shown.
        margin: equivalence margin in points.
        unit: what the differences are points of.
    """
    for forest in forests(table, margin):
        here = table[(table["setting"] == forest.setting) & (table["pairs"].fillna(0) > 0)]
        rows = []
        family = None
        for drawn, row in zip(forest.rows, here.to_dict("records"), strict=True):
            rows.append(
                Row(
                    drawn.arm,
                    drawn.svg,
                    cells.interval(row["difference"], row["low"], row["high"]),
                    row["verdict"],
                    family not in (None, drawn.family),
                )
            )
            family = drawn.family
        withheld = bool((here["verdict"] == WITHHELD).all())
        notes = [BAND.format(margin=margin), UNJUDGED if withheld else POINTS]
        if forest.clipped:
            notes.append(BROKEN)
        yield ForestTable(
            title=title(forest.setting, "Paired differences to the baseline"),
            axis=forest.axis,
            unit=f"arm − baseline, points of {unit}",
            rows=rows,
            note=" ".join(notes),
        )
