"""Figures for a report; colours of Okabe and Ito, distinguishable without colour vision."""

from pathlib import Path

import matplotlib
import pandas as pd

matplotlib.use("Agg")

from matplotlib.figure import Figure

from analysis.results import Results
from analysis.tables import BASELINE

PALETTE = ["#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#F0E442", "#999999"]
STYLES = ["-", "--", "-.", ":"]


def accuracy_per_epoch(results: Results, folder: Path, metric: str = "test/accuracy") -> list[Path]:
    """Mean over seeds with a band of ± one sd, one panel a family and setting, the baseline black in each."""
    rows = results.rows(metric)
    families = [f for f in results.trials["family"].dropna().unique() if f] or [None]
    settings = list(results.trials["setting"].unique())
    figure = Figure(figsize=(5 * len(families), 3.6 * len(settings)), layout="constrained")
    axes = figure.subplots(len(settings), len(families), squeeze=False, sharey=True)
    for line, setting in zip(axes, settings, strict=True):
        for axis, family in zip(line, families, strict=True):
            planned = results.trials[results.trials["setting"] == setting]
            arms = list(planned.loc[planned["family"] == family, "arm"].unique()) if family else []
            for k, arm in enumerate([BASELINE, *arms]):
                curves = rows[(rows["setting"] == setting) & (rows["arm"] == arm)]
                if curves.empty:
                    continue
                seeds = curves["seed"].nunique()
                statistics: pd.DataFrame = curves.groupby("epoch")[metric].agg(["mean", "std"])
                colour = "black" if arm == BASELINE else PALETTE[(k - 1) % len(PALETTE)]
                style = STYLES[(k + (k - 1) // len(PALETTE)) % len(STYLES)] if k else "-"
                marker = "o" if len(statistics) == 1 else None
                low, high = statistics["mean"] - statistics["std"], statistics["mean"] + statistics["std"]
                axis.plot(
                    statistics.index,
                    statistics["mean"],
                    style,
                    color=colour,
                    label=f"{arm} (n={seeds})",
                    lw=1.5,
                    marker=marker,
                )
                axis.fill_between(statistics.index, low, high, color=colour, alpha=0.12, lw=0)
            axis.set_title(" · ".join(filter(None, [setting, family])))
            axis.set_xlabel("epoch")
            axis.grid(alpha=0.3)
            if axis.lines:
                axis.legend(axis.lines, [line.get_label() for line in axis.lines], fontsize="x-small")
        line[0].set_ylabel(f"{metric} %, mean ± sd over seeds")
    return _save(figure, folder / "accuracy_per_epoch")


def _save(figure: Figure, stem: Path) -> list[Path]:
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_suffix(".png"), stem.with_suffix(".svg")]
    for path in paths:
        figure.savefig(path, dpi=150)
    return paths
