"""Comparison of every arm with the baseline of its setting, on the same seeds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.results.read import NOT_RUN, Results
from analysis.stats.attainable_p import ALPHA
from analysis.stats.multiple_testing import holm
from analysis.stats.paired import bootstrap, effect_size, improvement, mean_interval, paired
from analysis.stats.power import seeds_for_equivalence, seeds_to_detect
from trainable.storage import names
from trainable.storage.names import EPOCH_SECONDS, FORWARDS, LAST10, LAST10_SD

ALONE = names.NETWORK_LAST10.format(k=0)
BASELINE = "baseline"
PAIRING = ["seed", "data_hash", "noise_hash"]
COMPARED = [
    "pairs",
    "difference",
    "difference_sd",
    "low",
    "high",
    "boot_low",
    "boot_high",
    "p",
    "effect_size",
    "improvement",
    "spread_ratio",
]
"""Columns of arms that are paired with the baseline."""


def compare(results: Results, metric: str = LAST10) -> pd.DataFrame:
    """Compare all arms: one row per setting and arm, in the study's order.

    Accuracies are in percent, differences in points.

    Columns: setting, arm, family, paired (may be compared with the baseline), begun (some trial of
    it has), planned, n (done), collapsed (of these), mean, sd (over seeds), mean_low, mean_high
    (95 % t interval), within_sd (sd over the last ten epochs of a trial, mean over seeds).

    For paired arms: pairs, difference (arm − baseline on the same seeds), difference_sd, low, high
    (95 % t interval), boot_low, boot_high (95 % bootstrap), p (exact sign-flip), effect_size (of
    the differences), improvement (share of seeds), spread_ratio (the arm's sd over the baseline's,
    on those seeds), p_holm (adjusted within setting and family), comparisons (of that family: its
    arms that have begun, also those without a p), seeds_to_detect, seeds_for_equivalence, verdict.
    """
    rows = []
    for (setting, arm), group in results.trials.groupby(["setting", "arm"], sort=False):
        row = _outcome(metric, str(setting), str(arm), group)
        if row["paired"]:
            sides = pairs(results, str(setting), str(arm), metric)
            row.update(_difference(sides))
        rows.append(row)
    table = pd.DataFrame(rows)
    missing = [column for column in COMPARED if column not in table]
    table = table.reindex(columns=[*table.columns, *missing])
    _adjust(table)
    _judge(table, results.margin)
    return table


def _outcome(metric: str, setting: str, arm: str, group: pd.DataFrame) -> dict[str, Any]:
    """Return the results of an arm's trials in a setting (`group`), without the baseline."""
    first = group.iloc[0]
    family = first["family"]
    if pd.isna(family):
        family = ""
    done = group[group["state"] == "done"]
    values = _column(done, metric).dropna()
    mean, low, high = mean_interval(values.to_numpy(float))
    return {
        "setting": setting,
        "arm": arm,
        "family": family,
        "paired": bool(pd.notna(first["baseline"])),
        "begun": not group["reason"].str.startswith(NOT_RUN).all(),
        "planned": len(group),
        "n": len(done),
        "collapsed": int(done["collapsed"].sum()),
        "mean": mean,
        "sd": values.std(ddof=1),
        "mean_low": low,
        "mean_high": high,
        "within_sd": _column(done, LAST10_SD).mean(),
    }


def _column(table: pd.DataFrame, name: str) -> pd.Series:
    """Return a column of the table; empty if it does not exist."""
    if name in table:
        return table[name]
    return pd.Series(dtype=float)


def _difference(sides: pd.DataFrame) -> dict[str, Any]:
    """Compare the columns `arm` and `baseline` of a table with one row per seed."""
    change = (sides["arm"] - sides["baseline"]).to_numpy(float)
    test = paired(change)
    sd = np.nan
    if test.n > 1:
        sd = np.std(change, ddof=1)
    boot_low, boot_high = bootstrap(change)
    spread = sides.std(ddof=1)
    return {
        "pairs": test.n,
        "difference": test.mean,
        "low": test.low,
        "high": test.high,
        "p": test.p,
        "difference_sd": sd,
        "boot_low": boot_low,
        "boot_high": boot_high,
        "effect_size": effect_size(change),
        "improvement": improvement(change),
        "spread_ratio": _ratio_to_baseline(spread),
    }


def _ratio_to_baseline(sides: pd.Series) -> float:
    """Return the ratio of `arm` to `baseline`; NaN if the baseline's value is 0."""
    if not sides["baseline"]:
        return np.nan
    ratio: float = sides["arm"] / sides["baseline"]
    return ratio


def _adjust(table: pd.DataFrame) -> None:
    """Add `comparisons` and `p_holm`, both within setting and family."""
    counted = table["paired"] & table["begun"]
    by_family = counted.groupby([table["setting"], table["family"]])
    table["comparisons"] = by_family.transform("sum")

    def adjusted(p: pd.Series) -> np.ndarray:
        comparisons = table.loc[p.index, "comparisons"].max()
        return holm(p.to_numpy(float), int(comparisons))

    table["p_holm"] = table.groupby(["setting", "family"])["p"].transform(adjusted)


def _judge(table: pd.DataFrame, margin: float) -> None:
    """Add the number of seeds that each comparison needs, and its verdict."""
    to_detect = []
    for_equivalence = []
    verdicts = []
    for line in table.to_dict("records"):
        comparisons = max(line["comparisons"], 1)
        to_detect.append(seeds_to_detect(line["effect_size"], comparisons))
        for_equivalence.append(
            seeds_for_equivalence(line["difference"], line["difference_sd"], margin)
        )
        verdicts.append(verdict(line, margin))
    table["seeds_to_detect"] = to_detect
    table["seeds_for_equivalence"] = for_equivalence
    table["verdict"] = verdicts


def pairs(results: Results, setting: str, arm: str, metric: str = LAST10) -> pd.DataFrame:
    """Return the values of `arm` and `baseline` (columns) by seed.

    Only seeds are included where both are completed with the same data and noise.
    """
    done = results.done[results.done["setting"] == setting]
    if metric not in done:
        return pd.DataFrame({"arm": [], "baseline": []}, dtype=float)
    by_seed = done.set_index(PAIRING)
    sides = {
        "arm": by_seed.loc[by_seed["arm"] == arm, metric],
        "baseline": by_seed.loc[by_seed["arm"] == BASELINE, metric],
    }
    return pd.DataFrame(sides).dropna()


def verdict(line: Mapping[Any, Any], margin: float) -> str:
    """Return `matters` (significant), `equivalent`, `undecided` (inconclusive) or "" (no pairs)."""
    if pd.isna(line["difference"]):
        return ""
    if line["p_holm"] <= ALPHA:
        return "matters"
    if line["low"] > -margin and line["high"] < margin:
        return "equivalent"
    return "undecided"


def costs(results: Results) -> pd.DataFrame:
    """Return mean seconds and work of each setting and arm, and their ratios to the baseline.

    Columns: setting, arm, n, the summary's `time/*_s` (seconds of training by part) and
    `work/forwards` (forward passes of one image, a backward counted as two), seconds_ratio and
    work_ratio (to the baseline; ratios of sums over the seeds that both have).
    """
    measures = [c for c in results.trials.columns if c.startswith(("time/", "work/"))]
    rows = []
    for (setting, arm), group in results.trials.groupby(["setting", "arm"], sort=False):
        done = group[group["state"] == "done"]
        means = done[measures].mean().to_dict()
        row = {"setting": setting, "arm": arm, "n": len(done), **means}
        seconds = pairs(results, str(setting), str(arm), EPOCH_SECONDS)
        work = pairs(results, str(setting), str(arm), FORWARDS)
        row["seconds_ratio"] = _ratio_to_baseline(seconds.sum())
        row["work_ratio"] = _ratio_to_baseline(work.sum())
        rows.append(row)
    return pd.DataFrame(rows)
