"""Curves over epochs for the page: one panel a family and setting, with arms to switch."""

import itertools
from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from analysis.figures.curves import (
    DIVISION,
    Curve,
    arms_of,
    division_rows,
    families_of,
    label,
    mean_curves,
)
from analysis.figures.drawing import Group, Key, Panel, arm_class, frame
from analysis.figures.style import title
from analysis.results.read import Results
from trainable.storage import names

POINTS = 40
"""Largest number of epochs of a curve with a value on hover."""


def accuracy_groups(results: Results) -> Iterator[Group]:
    """Yield the mean accuracy over epochs with a band of ± one sd, one group a family."""
    metric = names.TEST_ACCURACY
    curves = {metric: mean_curves(results.rows(metric), metric)}
    text = f"{label(results)} %"
    for setting, family in itertools.product(results.settings, families_of(results)):
        yield from _group(results, curves, setting, family, {metric: text})


def division_groups(results: Results) -> Iterator[Group]:
    """Yield AUC, labeled fraction, precision and recall over epochs, one group a family.

    A study with settings has one group a setting, of its first family.
    """
    rows = division_rows(results)
    if rows.empty:
        return
    curves = {metric: mean_curves(rows, metric) for metric in DIVISION}
    families = families_of(results)
    if len(results.settings) > 1:
        families = families[:1]
    for setting, family in itertools.product(results.settings, families):
        yield from _group(results, curves, setting, family, DIVISION)


def _group(
    results: Results,
    curves: Mapping[str, Mapping[tuple[str, str], Curve]],
    setting: str,
    family: str,
    labels: Mapping[str, str],
) -> Iterator[Group]:
    """Yield the panels of a family, one a metric of `labels`; nothing without a curve."""
    arms = arms_of(results, setting, family)
    panels = []
    keys: dict[int, str] = {}
    for metric, text in labels.items():
        shown = {}
        for number, arm in enumerate(arms):
            curve = curves[metric].get((setting, arm))
            if curve is not None:
                shown[number] = curve.by_epoch
                keys.setdefault(number, f"{arm} (n={curve.seeds})")
        if shown:
            several = text if len(labels) > 1 else ""
            name = title(setting, family, several)
            panels.append(Panel(name, _panel(name or text, shown, dict(enumerate(arms)), text)))
    if panels:
        yield Group(panels, [Key(number, keys[number]) for number in sorted(keys)])


def _panel(name: str, curves: Mapping[int, pd.DataFrame], arms: Mapping[int, str], y: str) -> str:
    """Draw the curves of arms: number → mean and sd by epoch."""
    epochs = [float(epoch) for curve in curves.values() for epoch in curve.index]
    ends = []
    for curve in curves.values():
        sd = curve["std"].fillna(0)
        ends += [*(curve["mean"] - sd), *(curve["mean"] + sd)]
    drawn = frame(name, epochs, ends, "epoch", y)
    at = drawn.drawing
    # The baseline is drawn last, above all others.
    for number in sorted(curves, reverse=True):
        curve = curves[number]
        group = at.group(arm_class(number), drawn.plot)
        x = [drawn.x.at(float(epoch)) for epoch in curve.index]
        mean: np.ndarray = curve["mean"].to_numpy(float)
        deviation: np.ndarray = curve["std"].fillna(0).to_numpy(float)
        low = [drawn.y.at(value) for value in mean - deviation]
        high = [drawn.y.at(value) for value in mean + deviation]
        at.area(group, list(zip(x, low, high, strict=True)), "band")
        y_of_mean = [drawn.y.at(value) for value in mean]
        at.line(group, list(zip(x, y_of_mean, strict=True)), "line")
        for k in _shown(len(curve)):
            said = f"{arms[number]}, epoch {curve.index[k]}: {mean[k]:.4g} ± {deviation[k]:.2g}"
            at.dot(group, x[k], y_of_mean[k], 5, "hover", said)
        at.mark(group, x[-1], y_of_mean[-1], number, said)
    return at.markup()


def _shown(count: int) -> list[int]:
    """Return the positions with a value on hover: all, or some and the last, in order."""
    step = -(-count // POINTS)
    return sorted({*range(0, count, step), count - 1})
