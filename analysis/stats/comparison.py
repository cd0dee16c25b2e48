"""Every arm against the baseline of its setting, on the same seeds."""

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
    *("pairs", "difference", "difference_sd", "low", "high", "boot_low", "boot_high", "p"),
    *("effect_size", "improvement", "spread_ratio"),
]


def compare(results: Results, metric: str = LAST10) -> pd.DataFrame:
    """One row a setting and arm, in the study's order; accuracies in percent, differences in points.

    Columns: setting, arm, family, paired (may be compared with the baseline), begun (some trial of it has), planned, n
    (done), collapsed (of them), mean, sd (over seeds), mean_low, mean_high (95 % t interval), within_sd (within a run
    over its last ten epochs, mean of the seeds); for paired arms: pairs, difference (arm − baseline on the same
    seeds), difference_sd, low, high (95 % t interval), boot_low, boot_high (95 % bootstrap), p (exact sign-flip),
    effect_size (of the differences), improvement (share of seeds), spread_ratio (the arm's sd over the baseline's, on
    those seeds), p_holm (adjusted within setting and family), comparisons (of that family: its arms that have begun,
    with or without a p yet), seeds_to_detect, seeds_for_equivalence, verdict.
    """
    rows = [
        _row(results, metric, str(setting), str(arm), group)
        for (setting, arm), group in results.trials.groupby(["setting", "arm"], sort=False)
    ]
    table = pd.DataFrame(rows)
    table = table.reindex(columns=[*table.columns, *(c for c in COMPARED if c not in table)])
    families = table.groupby(["setting", "family"])
    table["comparisons"] = (
        (table["paired"] & table["begun"])
        .groupby([table["setting"], table["family"]])
        .transform("sum")
    )
    table["p_holm"] = families["p"].transform(
        lambda p: holm(p.to_numpy(float), int(table.loc[p.index, "comparisons"].max()))
    )
    lines = table.to_dict("records")
    table["seeds_to_detect"] = [
        seeds_to_detect(line["effect_size"], max(line["comparisons"], 1)) for line in lines
    ]
    table["seeds_for_equivalence"] = [
        seeds_for_equivalence(line["difference"], line["difference_sd"], results.margin)
        for line in lines
    ]
    table["verdict"] = [verdict(line, results.margin) for line in lines]
    return table


def _row(
    results: Results, metric: str, setting: str, arm: str, group: pd.DataFrame
) -> dict[str, Any]:
    done = group[group["state"] == "done"]
    values = done[metric].dropna() if metric in done else pd.Series(dtype=float)
    first = group.iloc[0]
    mean, low, high = mean_interval(values.to_numpy(float))
    within = done[LAST10_SD] if LAST10_SD in done else pd.Series(dtype=float)
    row = {
        "setting": setting,
        "arm": arm,
        "family": first["family"] if pd.notna(first["family"]) else "",
        "paired": bool(pd.notna(first["baseline"])),
        "begun": not group["reason"].str.startswith(NOT_RUN).all(),
        "planned": len(group),
        "n": len(done),
        "collapsed": int(done["collapsed"].sum()),
        "mean": mean,
        "sd": values.std(ddof=1),
        "mean_low": low,
        "mean_high": high,
        "within_sd": within.mean(),
    }
    if row["paired"]:
        sides = pairs(results, setting, arm, metric)
        change = (sides["arm"] - sides["baseline"]).to_numpy(float)
        test = paired(change)
        row |= {
            "pairs": test.n,
            "difference": test.mean,
            "low": test.low,
            "high": test.high,
            "p": test.p,
        }
        row["difference_sd"] = np.std(change, ddof=1) if test.n > 1 else np.nan
        row["boot_low"], row["boot_high"] = bootstrap(change)
        row |= {"effect_size": effect_size(change), "improvement": improvement(change)}
        spread = sides.std(ddof=1)
        row["spread_ratio"] = (
            spread["arm"] / spread["baseline"] if spread["baseline"] else float("nan")
        )
    return row


def pairs(results: Results, setting: str, arm: str, metric: str = LAST10) -> pd.DataFrame:
    """Values of `arm` and `baseline` (columns) by seed, where both are done and saw the same data and noise."""
    done = results.done[results.done["setting"] == setting]
    if metric not in done:
        return pd.DataFrame({"arm": [], "baseline": []}, dtype=float)
    by_seed = done.set_index(PAIRING)
    arms = {"arm": arm, "baseline": BASELINE}
    return pd.DataFrame(
        {side: by_seed.loc[by_seed["arm"] == name, metric] for side, name in arms.items()}
    ).dropna()


def verdict(line: Mapping[Any, Any], margin: float) -> str:
    """What a comparison shows: `matters`, `equivalent`, `undecided`, or nothing where there is none."""
    if pd.isna(line["difference"]):
        return ""
    if line["p_holm"] <= ALPHA:
        return "matters"
    return "equivalent" if line["low"] > -margin and line["high"] < margin else "undecided"


def costs(results: Results) -> pd.DataFrame:
    """Seconds and work of each setting and arm, mean over its finished trials, and their ratio to the baseline's.

    Columns: setting, arm, n, the summary's `time/*_s` (seconds of training by part) and `work/forwards` (forward
    passes of one image, a backward counted as two), seconds_ratio and work_ratio (of sums over the seeds that both
    have).
    """
    measures = [c for c in results.trials.columns if c.startswith(("time/", "work/"))]
    rows = []
    for (setting, arm), group in results.trials.groupby(["setting", "arm"], sort=False):
        done = group[group["state"] == "done"]
        row = {"setting": setting, "arm": arm, "n": len(done), **done[measures].mean().to_dict()}
        for name, measure in (("seconds_ratio", EPOCH_SECONDS), ("work_ratio", FORWARDS)):
            sides = pairs(results, str(setting), str(arm), measure).sum()
            row[name] = sides["arm"] / sides["baseline"] if sides["baseline"] else np.nan
        rows.append(row)
    return pd.DataFrame(rows)
