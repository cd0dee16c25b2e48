"""Figures from the sample tables: losses of clean and noisy labels, and what a threshold does to the classes."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy import stats

from analysis.figures.style import CLEAN, NOISY, PALETTE, panels, save, title
from analysis.results.read import Results
from analysis.stats.comparison import BASELINE
from trainable.storage import names

THRESHOLDS = np.arange(10) / 10
SHOWN = (0.0, 0.5, 0.9)
FEW = 4
"""Arms times settings of which all losses are shown."""


def loss_histograms(results: Results, folder: Path) -> list[Path]:
    """Network 0's normalised losses by whether the given label is right, with the mixture that was fitted to them.

    One seed of the baseline, or of every arm where all together are few; a row a setting and arm, a column a recorded
    epoch; nothing where no trial kept its losses.
    """
    tables = _tables(results, FEW)
    if not tables:
        return []
    figure, axes = panels(len(tables), max(len(t["epochs"]) for _, _, t in tables), 3.6, 2.8)
    for line, (setting, trial, table) in zip(axes, tables, strict=True):
        method = results.config(trial).get("method", {})
        # Other mixtures are on another scale than the picture of the losses.
        drawable = method.get("mixture", "gmm") == "gmm" and method.get("normalise_losses", True)
        rows = {row["epoch"]: row for row in results.folder(trial).rows()} if drawable else {}
        for axis, epoch, losses in zip(line, table["epochs"], table["loss"][:, 0], strict=False):
            _losses(axis, losses.astype(float), right(table))
            # The division after epoch e is described by the next epoch's row.
            _mixture(axis, rows.get(int(epoch) + 1, {}))
            where = title(setting, "" if trial["arm"] == BASELINE else trial["arm"])
            axis.set_title(
                title(where, f"after epoch {epoch}, seed {trial['seed']}"), fontsize="small"
            )
            axis.set_xlabel("normalised loss")
        line[0].set_ylabel("density")
        line[0].legend(fontsize="x-small")
    return save(figure, folder / "loss_histograms")


def _losses(axis: Axes, losses: np.ndarray, clean: np.ndarray | None) -> None:
    span = losses.max() - losses.min()
    losses = (losses - losses.min()) / (span if span > 0 else 1)
    bins = np.linspace(0, 1, 41).tolist()
    if clean is None:
        axis.hist(losses, bins, color="0.6", density=True, label="all")
        return
    both, share = [losses[clean], losses[~clean]], 40 / len(losses)  # one density over both
    for values, colour, hatch, name in zip(
        both, (CLEAN, NOISY), ("", "//"), ("clean", "noisy"), strict=True
    ):
        axis.hist(
            values,
            bins,
            weights=np.full(len(values), share),
            color=colour,
            alpha=0.55,
            hatch=hatch,
            label=name,
        )


def _mixture(axis: Axes, row: dict[str, Any]) -> None:
    x = np.linspace(0, 1, 400)
    top = axis.get_ylim()[1]
    for side, style in (("clean", "-"), ("noisy", "--")):
        metrics = [
            names.MIXTURE.format(parameter=parameter, component=side, k=0)
            for parameter in ("mean", "sd", "weight")
        ]
        if all(row.get(metric) is not None for metric in metrics):
            mean, sd, weight = (row[metric] for metric in metrics)
            axis.plot(x, weight * stats.norm.pdf(x, mean, sd), style, color="black", lw=1.2)
    axis.set_ylim(0, top)  # a narrow component must not flatten the histogram


def class_histograms(results: Results, folder: Path) -> list[Path]:
    """How many samples of each given class stay at a threshold on the clean probability, after the warm-up."""
    tables = _tables(results)
    if not tables:
        return []
    figure, axes = panels(len(tables), 1, 7, 2.8)
    for axis, (setting, trial, table) in zip(axes[:, 0], tables, strict=True):
        given, probability = _first_division(table)
        classes = np.arange(given.max() + 1)
        for k, threshold in enumerate(SHOWN):
            kept = np.bincount(
                given[probability > threshold] if threshold else given, minlength=len(classes)
            )
            colour = [PALETTE[1], PALETTE[4], "black"][k]
            label = (
                f"clean probability > {threshold:g}: {kept.sum()}"
                if threshold
                else f"all: {kept.sum()}"
            )
            axis.bar(classes + (k - 1) * 0.27, kept, 0.27, color=colour, label=label)
        axis.set_title(
            title(setting, f"after epoch {table['epochs'][0]}, seed {trial['seed']}"),
            fontsize="small",
        )
        axis.set_xlabel("given class")
        axis.set_ylabel("samples")
        axis.legend(fontsize="x-small")
    return save(figure, folder / "class_histograms")


def thresholds(results: Results) -> pd.DataFrame:
    """Samples kept at each threshold on the baseline's clean probability after its warm-up; mean over seeds.

    Where the baseline uses another arm's trials and makes no division itself, theirs are shown.

    Columns: setting, threshold, n (seeds), kept, residual_noise (share of wrong labels among them, percent; NaN where
    the truth is unknown), retrained (accuracy of the arm that retrains on just these samples; NaN where there is none),
    smallest_class and largest_class (share of the kept, percent), class_0, class_1, … (samples).
    """
    rows = []
    for trial, table in _divisions(results, results.done[results.done["arm"] == BASELINE]):
        clean, (given, probability) = right(table), _first_division(table)
        retrained = (
            _retrained(results, trial) if len(table["epochs"]) == 1 else {}
        )  # of more, it uses the last
        for threshold in THRESHOLDS:
            kept = probability > threshold if threshold else np.ones(len(given), bool)
            if kept.any():
                counts = np.bincount(given[kept], minlength=given.max() + 1)
                share = counts * 100 / kept.sum()
                row = {"setting": trial["setting"], "threshold": threshold, "kept": kept.sum()}
                row["residual_noise"] = np.nan if clean is None else 100 * (~clean[kept]).mean()
                row["retrained"] = retrained.get(float(threshold), np.nan)
                row |= {"smallest_class": share.min(), "largest_class": share.max()}
                rows.append(row | {f"class_{k}": count for k, count in enumerate(counts)})
    if not rows:
        return pd.DataFrame()
    groups = pd.DataFrame(rows).groupby(["setting", "threshold"], sort=False)
    means = groups.mean()
    means.insert(0, "n", groups.size())
    return means.reset_index()


def _retrained(results: Results, judge: dict[Any, Any]) -> dict[float, float]:
    """Accuracy by threshold of the arms that retrain on what a trial judged clean."""
    users = results.done[results.done["source"] == judge["folder"].removeprefix(f"{names.RUNS}/")]
    methods = [
        (results.config(user).get("method", {}), user[names.LAST10])
        for user in users.to_dict("records")
    ]
    return {
        method["p_threshold"]: value for method, value in methods if method.get("name") == "retrain"
    }


def right(table: dict[str, np.ndarray]) -> np.ndarray | None:
    """Whether each training sample's given label is the true one (n,); None where that is unknown."""
    train = table["split"] == 0
    given, true = table["given"][train], table["true"][train]
    return None if (true < 0).any() else given == true


def _first_division(table: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Given labels and clean probabilities (mean of the networks) of the training samples at the first division."""
    return table["given"][table["split"] == 0], table["clean_probability"][0].astype(float).mean(0)


def _tables(
    results: Results, few: int = 0
) -> list[tuple[str, dict[Any, Any], dict[str, np.ndarray]]]:
    """(setting, trial, sample table) of one finished trial that judged its samples, a setting.

    Of the baseline; where that did, of all arms, if there are at most `few` settings and arms.
    """
    first = results.done.drop_duplicates(["setting", "arm"])
    found = list(_divisions(results, first[first["arm"] == BASELINE]))
    if found and len(first) <= few:
        found = list(_divisions(results, first))
    return [
        (trial["setting"], trial, table)
        for trial, table in {t["folder"]: (t, table) for t, table in found}.values()
    ]


def _divisions(
    results: Results, trials: pd.DataFrame
) -> Iterator[tuple[dict[Any, Any], dict[str, np.ndarray]]]:
    """(trial, sample table) of each of the trials, or of the one that it uses, if that judged its samples."""
    done = {trial["folder"]: trial for trial in results.done.to_dict("records")}
    for trial in trials.to_dict("records"):
        for judge in (trial, done.get(f"{names.RUNS}/{trial['source']}")):
            if judge and _judged(table := results.samples(judge)):
                yield judge, table
                break


def _judged(table: dict[str, np.ndarray]) -> bool:
    """Whether a table has a division of all training samples; of large sets each epoch judges a part."""
    known = "clean_probability" in table and "loss" in table and len(table["epochs"]) > 0
    return known and not np.isnan(table["clean_probability"]).any()
