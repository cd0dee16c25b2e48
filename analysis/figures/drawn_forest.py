"""Forest plot of the page: a table with one drawing a row, which narrow screens can fold."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from analysis.figures.clipping import Limits, limits
from analysis.figures.drawing import Drawing, Scale, tick_text

WIDTH = 360
HEIGHT = 26
MIDDLE = HEIGHT / 2
ARROW = 8
"""Sizes in pixels."""
FILLED = {"better": "decided", "worse": "decided", "equivalent": "equivalent"}
"""First word of a verdict → class of its point; others are hollow."""


@dataclass(frozen=True)
class ForestRow:
    """An arm: its family, the drawing of its difference, and whether the axis is broken for it."""

    arm: str
    family: str
    svg: str
    clipped: bool


@dataclass(frozen=True)
class Forest:
    """The arms of a setting over one axis."""

    setting: str
    axis: str
    rows: list[ForestRow]

    @property
    def clipped(self) -> bool:
        """Whether the axis is broken for an arm."""
        return any(row.clipped for row in self.rows)


def forests(table: pd.DataFrame, margin: float) -> Iterator[Forest]:
    """Yield the forest plot of each setting with compared arms.

    Args:
        table: the comparison, of which difference, low, high and verdict are drawn.
        margin: equivalence margin in points.
    """
    compared = table[table["pairs"].fillna(0) > 0]
    for setting in compared["setting"].unique():
        rows = compared[compared["setting"] == setting]
        ends = limits(rows, margin)
        scale = Scale(ends.low, ends.high, ARROW, WIDTH - ARROW)
        yield Forest(
            str(setting),
            _axis(scale),
            [_row(row, ends, scale, margin) for row in rows.to_dict("records")],
        )


def _axis(scale: Scale) -> str:
    drawing = Drawing(WIDTH, 20)
    for value in scale.ticks(7):
        drawing.line(drawing.root, [(scale.at(value), 14), (scale.at(value), 20)], "zero")
        drawing.text(drawing.root, scale.at(value), 11, tick_text(value), "tick middle")
    return drawing.markup()


def _row(row: dict[Any, Any], ends: Limits, scale: Scale, margin: float) -> ForestRow:
    """Draw an arm's difference over the band of ± margin."""
    drawing = Drawing(WIDTH, HEIGHT)
    band = scale.at(margin) - scale.at(-margin)
    drawing.rectangle(drawing.root, scale.at(-margin), 0, band, HEIGHT, "margin")
    drawing.line(drawing.root, [(scale.at(0), 0), (scale.at(0), HEIGHT)], "zero")
    plot = drawing.group("plot")
    difference, low, high = (float(row[name]) for name in ("difference", "low", "high"))
    drawing.say(plot, f"{row['arm']}: {_signed(difference)} points {_bounds(low, high)}".strip())
    if not np.isfinite(difference):
        return ForestRow(row["arm"], row["family"], drawing.markup(), False)
    if np.isnan(low) or np.isnan(high):
        low, high = difference, difference
    pixels = [scale.at(ends.inside(end)) for end in (low, high)]
    drawing.line(plot, [(pixels[0], MIDDLE), (pixels[1], MIDDLE)], "interval")
    if low < ends.low:
        _arrow(drawing, plot, scale.start, -1)
    if high > ends.high:
        _arrow(drawing, plot, scale.end, 1)
    place = scale.at(ends.inside(difference))
    if ends.beyond(difference):
        side = 1 if difference > 0 else -1
        anchor = "end" if side > 0 else "start"
        drawing.text(plot, place - side * ARROW, MIDDLE - 4, _signed(difference), f"tick {anchor}")
    else:
        face = FILLED.get(str(row["verdict"]).partition(" ")[0], "open")
        drawing.dot(plot, place, MIDDLE, 5, f"point {face}")
    clipped = ends.beyond(low) or ends.beyond(high)
    return ForestRow(row["arm"], row["family"], drawing.markup(), clipped)


def _arrow(drawing: Drawing, plot: Any, tip: float, side: int) -> None:
    """Draw the head of an arrow that ends beyond `tip`."""
    end = tip + side * ARROW
    points = [(tip, MIDDLE - 5), (end, MIDDLE), (tip, MIDDLE + 5)]
    drawing.line(plot, points, "arrow")


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", "−")


def _bounds(low: float, high: float) -> str:
    """Write an interval; "" if there is none."""
    if np.isnan(low) or np.isnan(high):
        return ""
    return f"[{_signed(low)}, {_signed(high)}]".replace("inf", "∞")
