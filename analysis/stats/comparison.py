"""Comparison of every arm with the baseline of its setting, on the same seeds."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from analysis.results.read import NOT_RUN, Results
from analysis.results.trial_failures import ERROR, FAILED_STATES, Outcome
from analysis.stats.attainable_p import ALPHA, CENTERS
from analysis.stats.confidence_sequence import mean_interval as rate_interval
from analysis.stats.max_t import max_t
from analysis.stats.paired import bootstrap, effect_size, improvement, mean_interval, paired
from analysis.stats.power import seeds_to_decide
from analysis.stats.seed_pairs import ratio_to_baseline, sides
from analysis.stats.sequential import Verdict, intervals
from analysis.stats.sequential_study import Judged, judge_study, without_failures
from trainable.storage import names
from trainable.storage.names import LAST10, LAST10_SD

ALONE = names.NETWORK_LAST10.format(k=0)


def compare(results: Results, metric: str = LAST10) -> pd.DataFrame:
    """Compare all arms: one row per setting and arm, in the study's order.

    Accuracies are in percent, differences in points. A pair is a seed on which neither run failed:
    ended with an error, collapsed, or lost a class. Failures are compared apart.

    Columns: setting, arm, family, paired (may be compared with the baseline), begun (some trial of
    it has), planned, n (done), failed (of the trials that have ended), mean, sd (over seeds),
    mean_low, mean_high (95 % t interval), within_sd (sd over the last epochs of a trial, mean
    over seeds).

    For paired arms: seeds (with a result of both), pairs, difference (arm − baseline, mean of the
    pairs), difference_sd, t_low, t_high (95 % t interval), boot_low, boot_high (95 % bootstrap),
    p (exact sign-flip), effect_size (of the differences), improvement (share of seeds),
    spread_ratio (the arm's sd over the baseline's), pairing (variance of a difference of unpaired
    runs over that of the pairs), fails_more, fails_less (seeds on which only the arm, only the
    baseline failed), and what decides:

    low, high: intervals that hold for all arms of the family together, or, where seeds are added,
    the confidence sequence. p_adjusted (max-T over the family; always-valid where seeds are added),
    p_step_down, rate_low, rate_high (rate of failures, arm − baseline), verdict (`withheld` if the
    test labels are unchecked), looks (number of seeds when it was given, where seeds are added),
    more_low, more_high (seeds that would decide), measure (only if the labels are unchecked).
    """
    judged = _sequential_answers(results, metric)
    rows = []
    for (setting, arm), group in results.trials.groupby(["setting", "arm"], sort=False):
        row = _outcome(metric, str(setting), str(arm), group)
        if row["paired"]:
            both = sides(results, str(setting), str(arm), metric)
            at_first = None
            if (setting, arm) in judged and results.design is not None:
                of_arm = judged[str(setting), str(arm)]
                used = results.design.seeds[of_arm.arm.start :][: of_arm.answer.seeds]
                both = both[both.index.isin(used)]
                at_first = results.design.at_least
            row.update(_difference(both, at_first))
        rows.append(row)
    table = pd.DataFrame(rows)
    missing = [column for column in COMPARED if column not in table]
    table = table.reindex(columns=[*table.columns, *missing])
    table["verdict"] = ""
    for place in table.index[table["paired"]]:
        answer = judged.get((str(table.at[place, "setting"]), str(table.at[place, "arm"])))
        if answer is not None:
            _add_answer(table, place, answer)
    if results.design is None:
        for _, family in table[table["paired"]].groupby(["setting", "family"]):
            _judge_family(results, metric, table, family)
    table["verdict"] = table["verdict"].map(results.measure.allowed)
    if not results.measure.decides:
        table[["more_low", "more_high"]] = np.nan
        table["measure"] = results.measure.name
    return table


COMPARED = [
    "seeds",
    "pairs",
    "difference",
    "difference_sd",
    "low",
    "high",
    "t_low",
    "t_high",
    "boot_low",
    "boot_high",
    "p",
    "p_adjusted",
    "p_step_down",
    "effect_size",
    "improvement",
    "spread_ratio",
    "pairing",
    "fails_more",
    "fails_less",
    "rate_low",
    "rate_high",
    "looks",
    "more_low",
    "more_high",
]
"""Columns of arms that are paired with the baseline."""


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
        "failed": int(done["failed"].sum() + group["state"].isin(FAILED_STATES).sum()),
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


def counted_pairs(results: Results, setting: str, arm: str) -> pd.DataFrame:
    """Return the values of `arm` and `baseline` (columns) on the seeds that count as pairs."""
    at_first = results.design.at_least if results.design else None
    return _pairs_without_failures(sides(results, setting, arm), at_first)


def _pairs_without_failures(both: pd.DataFrame, at_first: int | None = None) -> pd.DataFrame:
    """Return arm and baseline on the seeds that count as pairs, see `without_failures`."""
    change = (both["arm"] - both["baseline"]).to_numpy(float)
    any_failed = (both["arm_failed"] | both["baseline_failed"]).to_numpy(bool)
    counted = without_failures(change, any_failed, at_first or len(both))
    valid: pd.DataFrame = both.loc[~np.isnan(counted), ["arm", "baseline"]]
    return valid


def _difference(both: pd.DataFrame, at_first: int | None) -> dict[str, Any]:
    """Describe the differences of a table of `sides`."""
    valid = _pairs_without_failures(both, at_first)
    change = (valid["arm"] - valid["baseline"]).to_numpy(float)
    test = paired(change)
    sd = np.nan
    if test.n > 1:
        sd = np.std(change, ddof=1)
    boot_low, boot_high = bootstrap(change)
    spread = valid.std(ddof=1)
    only_arm = int((both["arm_failed"] & ~both["baseline_failed"]).sum())
    only_baseline = int((both["baseline_failed"] & ~both["arm_failed"]).sum())
    return {
        "seeds": len(both),
        "pairs": test.n,
        "difference": test.mean,
        "t_low": test.low,
        "t_high": test.high,
        "p": test.p,
        "difference_sd": sd,
        "boot_low": boot_low,
        "boot_high": boot_high,
        "effect_size": effect_size(change),
        "improvement": improvement(change),
        "spread_ratio": ratio_to_baseline(spread),
        "pairing": (spread**2).sum() / sd**2 if sd else np.nan,
        "fails_more": only_arm,
        "fails_less": only_baseline,
    }


# --- a fixed list of seeds ---


def _judge_family(results: Results, metric: str, table: pd.DataFrame, family: pd.DataFrame) -> None:
    """Judge the arms of a family together, by joint sign flips of whole seeds."""
    begun = family[family["begun"]]
    by_arm = {}
    for place, row in begun.iterrows():
        both = _pairs_without_failures(sides(results, row["setting"], row["arm"], metric))
        by_arm[place] = both["arm"] - both["baseline"]
    differences = pd.DataFrame(by_arm)
    judged = [place for place in by_arm if differences[place].notna().any()]
    alpha = ALPHA * CENTERS
    if judged:
        test = max_t(differences[judged].to_numpy(float), alpha)
        table.loc[judged, "p_adjusted"] = test.p
        table.loc[judged, "p_step_down"] = test.step_down
        table.loc[judged, "low"] = test.low
        table.loc[judged, "high"] = test.high
    for place in begun.index:
        _add_failures(table, place, sides_failed(results, metric, table.loc[place]), len(begun))
        row = table.loc[place]
        table.at[place, "verdict"] = verdict(row, results.margin)
        more = seeds_to_decide(
            row["pairs"], row["difference"], row["difference_sd"], results.margin, len(begun)
        )
        table.loc[place, ["more_low", "more_high"]] = more


def sides_failed(results: Results, metric: str, row: "pd.Series[Any]") -> np.ndarray:
    """Return 1 for each seed on which only the arm failed, −1 for the baseline, else 0 (seeds,)."""
    both = sides(results, row["setting"], row["arm"], metric)
    only: np.ndarray = both["arm_failed"].to_numpy(float) - both["baseline_failed"].to_numpy(float)
    return only


def _add_failures(table: pd.DataFrame, place: Any, failures: np.ndarray, arms: int) -> None:
    """Add the interval of the difference of the rates of failures, corrected for all arms."""
    low, high = rate_interval(failures, ALPHA * (1 - CENTERS) / arms)
    table.at[place, "rate_low"] = low
    table.at[place, "rate_high"] = high


def verdict(
    line: Mapping[Any, Any], margin: float, alpha: float = ALPHA * CENTERS
) -> Verdict | str:
    """Return the verdict of a fixed list of seeds; "" if there are no results to compare.

    Args:
        line: p_adjusted, difference, low, high; rate_low and rate_high, if failures are compared.
        margin: equivalence margin in points.
        alpha: significance level of `p_adjusted`.
    """
    if line["p_adjusted"] <= alpha:
        return "better" if line["difference"] > 0 else "worse"
    if line.get("rate_low", 0) > 0:
        return "worse by failures"
    if line.get("rate_high", 0) < 0:
        return "better by failures"
    if line["low"] > -margin and line["high"] < margin:
        return "equivalent"
    if pd.isna(line["difference"]) and not line.get("seeds"):
        return ""
    return "inconclusive"


# --- seeds that are added until the questions are decided ---


def _sequential_answers(results: Results, metric: str) -> dict[tuple[str, str], Judged]:
    """Return (setting, arm) → its answer; the questions are about the last-10 accuracy alone."""
    if results.design is None or metric != LAST10:
        return {}
    found = {}
    for trial in results.trials.to_dict("records"):
        place = (trial["setting"] or None, trial["arm"], trial["seed"])
        if trial["state"] == "done":
            found[place] = Outcome(trial[LAST10], trial["failed"])
        elif trial["state"] in FAILED_STATES:
            found[place] = ERROR
    judged = judge_study(results.design, results.margin, found)
    return {(each.arm.setting or "", each.arm.arm): each for each in judged}


def _add_answer(table: pd.DataFrame, place: Any, judged: Judged) -> None:
    """Add an arm's answer and its confidence sequences."""
    sequences = intervals(judged.question, judged.answer)
    table.at[place, "low"] = sequences.low
    table.at[place, "high"] = sequences.high
    table.at[place, "rate_low"] = sequences.rate_low
    table.at[place, "rate_high"] = sequences.rate_high
    table.at[place, "p_adjusted"] = sequences.p
    table.at[place, "looks"] = judged.answer.seeds
    if judged.answer.seeds:
        table.at[place, "verdict"] = judged.answer.verdict
