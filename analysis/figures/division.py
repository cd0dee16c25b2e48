"""Figures from the sample tables.

Losses of clean and noisy labels, and numbers of samples per class above a threshold.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from scipy import stats

from analysis.figures.style import CLEAN, NOISY, PALETTE, panels, save, title
from analysis.results.read import Results
from analysis.results.study_plan import BASELINE
from trainable.storage import names

SEEDS = 100
"""Largest number of seeds whose tables are read for means."""
THRESHOLDS = np.arange(10) / 10
SHOWN = {0.0: PALETTE[1], 0.5: PALETTE[4], 0.9: "black"}
"""Thresholds of the class histograms, and the colours of their bars."""
Table = dict[str, np.ndarray]
"""A trial's sample table: name → column."""

Trial = dict[Any, Any]
"""A row of `Results.trials`."""

FEW = 4
"""Maximum number of arms × settings for which all losses are shown."""


def loss_histograms(results: Results, folder: Path) -> list[Path]:
    """Plot network 0's normalised losses for correct and wrong labels, with their mixture.

    The figure has one seed of the baseline, or of every arm if there are few. It has one row per
    setting and arm, and one column per recorded epoch. It is not written if no trial kept losses.
    """
    tables = _tables(results, FEW)
    if not tables:
        return []
    columns = max(len(table["epochs"]) for _, _, table in tables)
    figure, axes = panels(len(tables), columns, 3.6, 2.8)
    for line, (setting, trial, table) in zip(axes, tables, strict=True):
        clean = right(table)
        rows = _mixture_rows(results, trial)
        where = setting
        if trial["arm"] != BASELINE:
            where = title(setting, trial["arm"])
        for axis, epoch, losses in zip(line, table["epochs"], table["loss"][:, 0], strict=False):
            _losses(axis, losses.astype(float), clean)
            # The division after epoch e is described by the next epoch's row.
            _mixture(axis, rows.get(int(epoch) + 1, {}))
            when = f"after epoch {epoch}, seed {trial['seed']}"
            axis.set_title(title(where, when), fontsize="small")
            axis.set_xlabel("normalised loss")
        line[0].set_ylabel("density")
        line[0].legend(fontsize="x-small")
    return save(figure, folder / "loss_histograms")


def _mixture_rows(results: Results, trial: Trial) -> dict[int, dict[str, Any]]:
    """Return a trial's rows by epoch; none if its mixture has another scale than the losses."""
    method = results.config(trial).get("method", {})
    if method.get("mixture", "gmm") != "gmm":
        return {}
    if not method.get("normalise_losses", True):
        return {}
    rows = {}
    for row in results.folder(trial).rows():
        rows[row["epoch"]] = row
    return rows


def _losses(axis: Axes, losses: np.ndarray, clean: np.ndarray | None) -> None:
    """Draw the histogram of losses (n,), scaled to 0…1, by `clean` (n,) bool if known."""
    span = losses.max() - losses.min()
    losses = losses - losses.min()
    if span > 0:
        losses = losses / span
    bins = np.linspace(0, 1, 41).tolist()
    if clean is None:
        axis.hist(
            losses,
            bins,
            color="0.6",
            density=True,
            label="all",
        )
        return
    share = 40 / len(losses)  # one density over both
    for part, colour, hatch, label in (
        (losses[clean], CLEAN, "", "clean"),
        (losses[~clean], NOISY, "//", "noisy"),
    ):
        axis.hist(
            part,
            bins,
            weights=np.full(len(part), share),
            color=colour,
            alpha=0.55,
            hatch=hatch,
            label=label,
        )


def _mixture(axis: Axes, row: dict[str, Any]) -> None:
    """Draw network 0's mixture over its losses, if an epoch's row has its parameters."""
    x = np.linspace(0, 1, 400)
    top = axis.get_ylim()[1]
    for component, style in (("clean", "-"), ("noisy", "--")):
        known = []
        for parameter in ("mean", "sd", "weight"):
            metric = names.MIXTURE.format(parameter=parameter, component=component, k=0)
            value = row.get(metric)
            if value is not None:
                known.append(value)
        if len(known) < 3:
            continue
        mean, sd, weight = known
        density = weight * stats.norm.pdf(x, mean, sd)
        axis.plot(
            x,
            density,
            style,
            color="black",
            lw=1.2,
        )
    axis.set_ylim(0, top)  # a narrow component must not flatten the histogram


def class_histograms(results: Results, folder: Path) -> list[Path]:
    """Plot the number of samples per given class above thresholds of the clean probability.

    The division is the first one, after the warm-up.
    """
    tables = _tables(results)
    if not tables:
        return []
    figure, axes = panels(len(tables), 1, 7, 2.8)
    for axis, (setting, trial, table) in zip(axes[:, 0], tables, strict=True):
        _class_bars(axis, *_first_division(table))
        when = f"after epoch {table['epochs'][0]}, seed {trial['seed']}"
        axis.set_title(title(setting, when), fontsize="small")
        axis.set_xlabel("given class")
        axis.set_ylabel("samples")
        axis.legend(fontsize="x-small")
    return save(figure, folder / "class_histograms")


def _class_bars(axis: Axes, given: np.ndarray, probability: np.ndarray) -> None:
    """Draw the number of kept samples of each class, one bar per threshold."""
    classes = np.arange(given.max() + 1)
    for k, (threshold, colour) in enumerate(SHOWN.items()):
        kept = given[_kept(probability, threshold)]
        counts = np.bincount(kept, minlength=len(classes))
        label = f"all: {counts.sum()}"
        if threshold:
            label = f"clean probability > {threshold:g}: {counts.sum()}"
        axis.bar(
            classes + (k - 1) * 0.27,
            counts,
            0.27,
            color=colour,
            label=label,
        )


def _kept(probability: np.ndarray, threshold: float) -> np.ndarray:
    """Return which samples (n,) have a clean probability above a threshold; all at 0."""
    if not threshold:
        return np.ones(len(probability), bool)
    return probability > threshold


def thresholds(results: Results) -> pd.DataFrame:
    """Count the samples above each threshold of the baseline's clean probability.

    Values are means over seeds, the first hundred. The clean probability is that of the first
    division, after the warm-up. If the baseline depends on another arm and has no division, that
    arm's is used.

    Columns: setting, threshold, n (seeds), kept, residual_noise (share of wrong labels among them,
    percent; NaN if true labels are unknown), retrained (accuracy of the arm that retrains on just
    these samples; NaN if there is none), smallest_class and largest_class (share of the kept,
    percent), class_0, class_1, … (samples).
    """
    rows = []
    baselines = results.done[results.done["arm"] == BASELINE]
    for trial, table in _divisions(results, baselines.groupby("setting", sort=False).head(SEEDS)):
        retrained = {}
        if len(table["epochs"]) == 1:  # of more, it uses the last
            retrained = _retrained(results, trial)
        for threshold in THRESHOLDS:
            row = {"setting": trial["setting"], "threshold": threshold}
            kept = _kept_row(table, threshold, retrained)
            if kept:
                row.update(kept)
                rows.append(row)
    if not rows:
        return pd.DataFrame()
    groups = pd.DataFrame(rows).groupby(["setting", "threshold"], sort=False)
    means = groups.mean()
    means.insert(0, "n", groups.size())
    return means.reset_index()


def _kept_row(table: Table, threshold: float, retrained: dict[float, float]) -> dict[str, Any]:
    """Return the columns of `thresholds` from `kept` on for one trial; empty if none is kept."""
    given, probability = _first_division(table)
    kept = _kept(probability, threshold)
    if not kept.any():
        return {}
    clean = right(table)
    residual_noise = np.nan
    if clean is not None:
        residual_noise = 100 * (~clean[kept]).mean()
    counts = np.bincount(given[kept], minlength=given.max() + 1)
    share = counts * 100 / kept.sum()
    row = {
        "kept": kept.sum(),
        "residual_noise": residual_noise,
        "retrained": retrained.get(float(threshold), np.nan),
        "smallest_class": share.min(),
        "largest_class": share.max(),
    }
    for label, count in enumerate(counts):
        row[f"class_{label}"] = count
    return row


def _retrained(results: Results, judge: Trial) -> dict[float, float]:
    """Return threshold → accuracy of the arms that retrain on the clean samples of a trial."""
    source = judge["folder"].removeprefix(f"{names.RUNS}/")
    users = results.done[results.done["source"] == source]
    found = {}
    for user in users.to_dict("records"):
        method = results.config(user).get("method", {})
        if method.get("name") == "retrain":
            found[method["p_threshold"]] = user[names.LAST10]
    return found


def right(table: Table) -> np.ndarray | None:
    """Return whether each training sample's given label is the true one (n,).

    None if the true labels are unknown.
    """
    train = table["split"] == 0
    given = table["given"][train]
    true = table["true"][train]
    if (true < 0).any():
        return None
    same: np.ndarray = given == true
    return same


def _first_division(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Return given labels (n,) and clean probabilities (n,) of the training samples.

    They are those of the first division; the probabilities are means over networks.
    """
    train = table["split"] == 0
    given = table["given"][train]
    of_networks = table["clean_probability"][0].astype(float)
    return given, of_networks.mean(0)


def _tables(results: Results, few: int = 0) -> list[tuple[str, Trial, Table]]:
    """Return (setting, trial, sample table) of a completed trial with a division per setting.

    The trials are the baseline's, or those of all arms if there are at most `few` settings × arms.
    """
    first = results.done.drop_duplicates(["setting", "arm"])
    baselines = first[first["arm"] == BASELINE]
    found = list(_divisions(results, baselines))
    if found and len(first) <= few:
        found = list(_divisions(results, first))
    # Two arms may depend on one trial, which is shown once.
    by_folder = {}
    for trial, table in found:
        by_folder[trial["folder"]] = (trial["setting"], trial, table)
    return list(by_folder.values())


def _divisions(results: Results, trials: pd.DataFrame) -> Iterator[tuple[Trial, Table]]:
    """Yield (trial, sample table) of each trial, or of the trial that it depends on.

    Trials without a division in either table are omitted.
    """
    used = results.done[results.done["folder"].isin(f"{names.RUNS}/" + trials["source"].dropna())]
    sources = {trial["folder"]: trial for trial in used.to_dict("records")}
    for trial in trials.to_dict("records"):
        source = sources.get(f"{names.RUNS}/{trial['source']}")
        for judge in (trial, source):
            if not judge:
                continue
            table = results.samples(judge)
            if _judged(table):
                yield judge, table
                break


def _judged(table: Table) -> bool:
    """Return whether a table has a division of all training samples.

    With large data sets each epoch divides only a part.
    """
    if "clean_probability" not in table or "loss" not in table:
        return False
    if len(table["epochs"]) == 0:
        return False
    return not np.isnan(table["clean_probability"]).any()
