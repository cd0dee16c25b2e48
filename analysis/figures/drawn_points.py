"""Points with intervals for the page: factors, and accuracy against work."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from analysis.figures.comparison import Point, accuracy_label, factor_points, work_points
from analysis.figures.drawing import Frame, Group, Key, Panel, arm_class, frame, tick_text
from analysis.figures.style import title
from analysis.results.read import Results
from analysis.results.study_plan import BASELINE

WORK = "million forward passes of an image a trial"


def factor_groups(results: Results) -> Iterator[Group]:
    """Yield accuracy over each factor's values, one panel a factor; a group a setting."""
    factors = [path for path in results.factors if (results.trials["family"] == path).any()]
    for setting in results.settings:
        panels = []
        for path in factors:
            points = factor_points(results, setting, path)
            if points:
                name = title(setting, path)
                panels.append(Panel(name, _factor(name, path, points, accuracy_label(results))))
        if panels:
            yield Group(panels)


def _factor(name: str, path: str, points: list[Point], y: str) -> str:
    """Draw the means of a factor's values with their intervals, and the single seeds."""
    numeric = all(point.is_number for point in points)
    places = [float(point.value) if numeric else float(k) for k, point in enumerate(points)]
    names = None if numeric else [str(point.value) for point in points]
    ends = np.concatenate([np.r_[point.seeds, point.low, point.high] for point in points])
    drawn = frame(name, places, ends, path.rsplit(".", 1)[-1], y, names)
    seeds = drawn.drawing.group("seeds", drawn.plot)
    for place, point in zip(places, points, strict=True):
        for value in point.seeds[:100]:
            drawn.drawing.dot(seeds, drawn.x.at(place), drawn.y.at(value), 2, "seed")
    for place, point in zip(places, points, strict=True):
        face = "open" if point.arm == BASELINE else "decided"
        group = drawn.drawing.group("plot", drawn.plot)
        _interval(drawn, group, place, point)
        said = f"{point.arm}: {_words(point)}"
        x, y_of_mean = drawn.x.at(place), drawn.y.at(point.mean)
        drawn.drawing.dot(group, x, y_of_mean, 5, f"point {face}", said)
    return drawn.drawing.markup()


def work_groups(results: Results, table: pd.DataFrame, costs: pd.DataFrame) -> Iterator[Group]:
    """Yield accuracy against the work of a trial, one group a setting."""
    for setting in results.settings:
        found = work_points(results, table, costs, setting)
        if not found:
            continue
        work = [point.value for point in found.values()]
        ends = [end for point in found.values() for end in (point.mean, point.low, point.high)]
        name = title(setting)
        drawn = frame(name or "accuracy and work", work, ends, WORK, accuracy_label(results))
        for number in sorted(found, reverse=True):
            point = found[number]
            group = drawn.drawing.group(arm_class(number), drawn.plot)
            _interval(drawn, group, point.value, point)
            said = f"{point.arm}: {_words(point)}, {tick_text(round(point.value, 3))} million"
            x, y = drawn.x.at(point.value), drawn.y.at(point.mean)
            drawn.drawing.mark(group, x, y, number, said)
        keys = [Key(number, point.arm) for number, point in sorted(found.items())]
        yield Group([Panel(name, drawn.drawing.markup())], keys)


def _interval(drawn: Frame, group: object, place: float, point: Point) -> None:
    x = drawn.x.at(place)
    if np.isfinite(point.low + point.high):
        ends = [(x, drawn.y.at(point.low)), (x, drawn.y.at(point.high))]
        drawn.drawing.line(group, ends, "interval")  # type: ignore[arg-type]


def _words(point: Point) -> str:
    text = f"{point.mean:.2f} %"
    if np.isfinite(point.low + point.high):
        text += f" [{point.low:.2f}, {point.high:.2f}]"
    return text
