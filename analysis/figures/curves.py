"""Figures over epochs: accuracy, and quality of the division."""

import itertools
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from analysis.figures.style import look, panels, save, title
from analysis.results.read import Results
from analysis.results.study_plan import BASELINE
from trainable.storage import names

DIVISION = {
    names.AUC: "AUC of the clean probability",
    names.LABELED_FRACTION: "labeled fraction",
    names.PRECISION: "precision of “clean”",
    names.RECALL: "recall of “clean”",
}
"""Metric of each network → label of its axis."""

NETWORKS = (0, 1)


def accuracy_per_epoch(results: Results, folder: Path) -> list[Path]:
    """Plot the mean over seeds with a band of ± one sd, one panel per family and setting.

    The baseline is black.
    """
    curves = mean_curves(results.rows(names.TEST_ACCURACY), names.TEST_ACCURACY)
    families = families_of(results)
    figure, axes = panels(
        len(results.settings),
        len(families),
        5,
        3.4 + _legend_height(results, families),
        sharey=True,
    )
    for line, setting in zip(axes, results.settings, strict=True):
        for axis, family in zip(line, families, strict=True):
            arms = arms_of(results, setting, family)
            _curves(axis, curves, setting, arms)
            axis.set_title(title(setting, family))
            axis.set_xlabel("epoch")
            _legend(axis)
        line[0].set_ylabel(f"{label(results)} %, mean ± sd over seeds")
    return save(figure, folder / "accuracy_per_epoch")


def label(results: Results) -> str:
    """Return the name of the test accuracy, and what it measures if its labels are unchecked."""
    if results.measure.decides:
        return names.TEST_ACCURACY
    return f"{results.measure.header} ({names.TEST_ACCURACY})"


def division_per_epoch(results: Results, folder: Path) -> list[Path]:
    """Plot AUC, labeled fraction, precision and recall, mean over networks and seeds.

    There is one row of panels per family. A study with settings has one row per setting, with the
    arms of the first family. No figure is written if no trial has a division.
    """
    rows = division_rows(results)
    if rows.empty:
        return []
    curves = {name: mean_curves(rows, name) for name in DIVISION}
    families = families_of(results)
    if len(results.settings) > 1:
        families = families[:1]  # every row has four panels, so rows are limited
    lines = list(itertools.product(results.settings, families))
    figure, axes = panels(
        len(lines),
        len(DIVISION),
        3.6,
        2.8 + _legend_height(results, families),
        sharex=True,
    )
    for line, (setting, family) in zip(axes, lines, strict=True):
        arms = arms_of(results, setting, family)
        for axis, (name, label) in zip(line, DIVISION.items(), strict=True):
            _curves(axis, curves[name], setting, arms)
            axis.set_title(title(setting, family), fontsize="small")
            axis.set_ylabel(label)
        _legend(line[0])
    for axis in axes[-1]:
        axis.set_xlabel("epoch")
    return save(figure, folder / "division_per_epoch")


def division_rows(results: Results) -> pd.DataFrame:
    """Return rows of epochs with a division: metrics of DIVISION as means over networks."""
    columns = {}
    for name in DIVISION:
        columns[name] = [name.format(k=k) for k in NETWORKS]
    rows = results.rows(*itertools.chain.from_iterable(columns.values()))
    for name, of_networks in columns.items():
        rows[name] = rows[of_networks].mean(axis=1)
    return rows.dropna(subset=list(DIVISION), how="all")


def families_of(results: Results) -> list[str]:
    """Return the families of the study's arms; [""] if it has none."""
    families = [family for family in results.trials["family"].dropna().unique() if family]
    return families or [""]


def arms_of(results: Results, setting: str, family: str) -> list[str]:
    """Return the baseline and the arms of a family in a setting."""
    planned = results.trials[results.trials["setting"] == setting]
    of_family = planned[planned["family"] == family]
    return [BASELINE, *of_family["arm"].unique()]


@dataclass(frozen=True)
class Curve:
    """A metric of an arm over epochs: `mean` and `std` over seeds by epoch, and their number."""

    by_epoch: pd.DataFrame
    seeds: int


def mean_curves(rows: pd.DataFrame, metric: str) -> dict[tuple[str, str], Curve]:
    """Return (setting, arm) → curve, without arms whose rows lack the metric."""
    known = rows.dropna(subset=[metric])
    found = {}
    for arm, of_arm in known.groupby(["setting", "arm"], sort=False):
        by_epoch = of_arm.groupby("epoch")[metric].agg(["mean", "std"])
        found[str(arm[0]), str(arm[1])] = Curve(by_epoch, of_arm["seed"].nunique())
    return found


def _curves(
    axis: Axes, curves: dict[tuple[str, str], Curve], setting: str, arms: list[str]
) -> None:
    """Draw each arm's mean over seeds by epoch, with its band; one epoch is a point."""
    for k, arm in enumerate(arms):
        if (setting, arm) not in curves:
            continue
        by_epoch = curves[setting, arm].by_epoch
        mean = by_epoch["mean"]
        sd = by_epoch["std"]
        style = look(k)
        style["marker"] = None
        if len(by_epoch) == 1:
            style["marker"] = "o"
        text = f"{arm} (n={curves[setting, arm].seeds})"
        axis.plot(
            by_epoch.index,
            mean,
            label=text,
            lw=1.5,
            **style,
        )
        axis.fill_between(
            by_epoch.index,
            mean - sd,
            mean + sd,
            color=style["color"],
            alpha=0.12,
            lw=0,
        )


def _legend_height(results: Results, families: list[str]) -> float:
    """Return the height of the highest legend, inches: two arms a line."""
    largest = 0
    for setting, family in itertools.product(results.settings, families):
        largest = max(largest, len(arms_of(results, setting, family)))
    return 0.1 + 0.1 * largest


def _legend(axis: Axes) -> None:
    """Add a legend of the panel's lines below it, if it has any."""
    if axis.lines:
        labels = [str(line.get_label()) for line in axis.lines]
        # Below the panel, so that it hides no curve.
        axis.legend(
            axis.lines,
            labels,
            fontsize="small",
            loc="upper center",
            bbox_to_anchor=(0.5, -0.16),
            ncols=2,
            frameon=False,
        )
