"""Figures over epochs: accuracy, and how well the division finds clean samples."""

from pathlib import Path

import pandas as pd
from matplotlib.axes import Axes

from analysis.figures.style import look, panels, save, title
from analysis.results.read import Results
from analysis.stats.comparison import BASELINE
from trainable.storage import names

DIVISION = {
    names.AUC: "AUC of the clean probability",
    names.LABELED_FRACTION: "labeled fraction",
    names.PRECISION: "precision of “clean”",
    names.RECALL: "recall of “clean”",
}
"""Metrics of each network, and their labels."""


def accuracy_per_epoch(
    results: Results, folder: Path, metric: str = names.TEST_ACCURACY
) -> list[Path]:
    """Mean over seeds with a band of ± one sd, one panel a family and setting, the baseline black in each."""
    rows = results.rows(metric)
    families = _families(results)
    figure, axes = panels(len(results.settings), len(families), 5, 3.6, sharey=True)
    for line, setting in zip(axes, results.settings, strict=True):
        for axis, family in zip(line, families, strict=True):
            _curves(axis, rows[rows["setting"] == setting], metric, _arms(results, setting, family))
            axis.set_title(title(setting, family))
            axis.set_xlabel("epoch")
            _legend(axis)
        line[0].set_ylabel(f"{metric} %, mean ± sd over seeds")
    return save(figure, folder / "accuracy_per_epoch")


def division_per_epoch(results: Results, folder: Path) -> list[Path]:
    """AUC, labeled fraction, precision and recall, mean over networks and seeds; nothing if no trial divides.

    A line of panels for each family; in a study with settings for each setting, with the first family's arms.
    """
    rows = results.rows(*(name.format(k=k) for name in DIVISION for k in (0, 1)))
    for name in DIVISION:
        rows[name] = rows[[name.format(k=k) for k in (0, 1)]].mean(axis=1)
    rows = rows.dropna(subset=list(DIVISION), how="all")
    if rows.empty:
        return []
    families = _families(results)[
        : None if len(results.settings) == 1 else 1
    ]  # four panels a line: they would be many
    lines = [(setting, family) for setting in results.settings for family in families]
    figure, axes = panels(len(lines), len(DIVISION), 3.6, 3, sharex=True)
    for line, (setting, family) in zip(axes, lines, strict=True):
        for axis, (name, label) in zip(line, DIVISION.items(), strict=True):
            _curves(axis, rows[rows["setting"] == setting], name, _arms(results, setting, family))
            axis.set_title(title(setting, family), fontsize="small")
            axis.set_ylabel(label)
        _legend(line[0])
    for axis in axes[-1]:
        axis.set_xlabel("epoch")
    return save(figure, folder / "division_per_epoch")


def _families(results: Results) -> list[str]:
    return [f for f in results.trials["family"].dropna().unique() if f] or [""]


def _arms(results: Results, setting: str, family: str) -> list[str]:
    planned = results.trials[results.trials["setting"] == setting]
    return [BASELINE, *planned.loc[planned["family"] == family, "arm"].unique()]


def _curves(axis: Axes, rows: pd.DataFrame, metric: str, arms: list[str]) -> None:
    for k, arm in enumerate(arms):
        curves = rows[rows["arm"] == arm].dropna(subset=[metric])
        if curves.empty:
            continue
        by_epoch: pd.DataFrame = curves.groupby("epoch")[metric].agg(["mean", "std"])
        style = {**look(k), "marker": "o" if len(by_epoch) == 1 else None}
        axis.plot(
            by_epoch.index,
            by_epoch["mean"],
            label=f"{arm} (n={curves['seed'].nunique()})",
            lw=1.5,
            **style,
        )
        low, high = by_epoch["mean"] - by_epoch["std"], by_epoch["mean"] + by_epoch["std"]
        axis.fill_between(by_epoch.index, low, high, color=style["color"], alpha=0.12, lw=0)


def _legend(axis: Axes) -> None:
    if axis.lines:
        axis.legend(axis.lines, [str(line.get_label()) for line in axis.lines], fontsize="x-small")
