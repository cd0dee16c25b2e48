"""Comparison of two studies on the same settings, arms and seeds."""

from collections.abc import Iterator
from typing import Any

import pandas as pd

from analysis.report import cells, tables
from analysis.results.read import Results
from analysis.stats.multiple_testing import holm
from analysis.stats.paired import paired
from analysis.stats.seed_pairs import PAIRING
from trainable.storage.names import LAST10

PLACE = ["setting", "arm"]


def join(first: Results, second: Results, metric: str = LAST10) -> pd.DataFrame:
    """Compare each setting and arm that both studies plan, in the order of the first study.

    Columns: setting, arm, first, second (means in percent over the seeds that both completed with
    the same data and noise), pairs, difference (second − first, points), low, high (95 % t
    interval), p (exact sign-flip), p_holm (over all rows), same (number of pairs with the same id,
    that is, the same configuration).
    """
    columns = [*PLACE, "first", "second", "pairs", "difference", "low", "high", "p", "same"]
    pairs = _pairs(first, second, metric)
    both = _places(first).merge(_places(second))
    rows = []
    for place in both.to_dict("records"):
        here = (pairs["setting"] == place["setting"]) & (pairs["arm"] == place["arm"])
        row = dict(place)
        row.update(_compared(pairs[here], metric))
        rows.append(row)
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(p_holm=holm(table["p"].to_numpy(float)))


def _places(study: Results) -> pd.DataFrame:
    """Return setting and arm of each planned arm."""
    return study.trials[PLACE].drop_duplicates()


def _pairs(first: Results, second: Results, metric: str) -> pd.DataFrame:
    """Return one row per pair of completed trials: PLACE, PAIRING, and both ids and metrics."""
    on = [*PLACE, *PAIRING]
    left = first.done.reindex(columns=[*on, "id", metric])
    right = second.done.reindex(columns=[*on, "id", metric])
    joined = left.merge(right, on=on, suffixes=("_first", "_second"))
    return joined.dropna(subset=[f"{metric}_first", f"{metric}_second", *PAIRING])


def _compared(pairs: pd.DataFrame, metric: str) -> dict[str, float]:
    """Return the statistics of one arm's pairs."""
    first = pairs[f"{metric}_first"]
    second = pairs[f"{metric}_second"]
    test = paired((second - first).to_numpy(float))
    same = pairs["id_first"] == pairs["id_second"]
    return {
        "first": first.mean(),
        "second": second.mean(),
        "pairs": test.n,
        "difference": test.mean,
        "low": test.low,
        "high": test.high,
        "p": test.p,
        "same": int(same.sum()),
    }


def text(table: pd.DataFrame, first: str, second: str) -> pd.DataFrame:
    """Return the joined table as text; `first` and `second` are the names of the studies."""
    return tables.rows(
        table,
        {
            "pairs": lambda row: f"{row['pairs']}",
            f"{first} %": lambda row: cells.number(row["first"]),
            f"{second} %": lambda row: cells.number(row["second"]),
            "difference [95 % interval]": lambda row: cells.interval(
                row["difference"], row["low"], row["high"]
            ),
            "Holm p": lambda row: cells.p_value(row["p_holm"]),
            "configuration": _configuration,
        },
    )


def _configuration(row: dict[Any, Any]) -> str:
    """Write whether all pairs of an arm have the same configuration: `same` or `changed`."""
    if not row["pairs"]:
        return ""
    if row["same"] == row["pairs"]:
        return "same"
    return "changed"


def only(first: Results, second: Results) -> Iterator[str]:
    """Yield sentences about arms that only one of the studies has."""
    for study, other in ((first, second), (second, first)):
        there = set(_places(other).itertuples(index=False, name=None))
        for setting, arm in _places(study).itertuples(index=False, name=None):
            if (setting, arm) not in there:
                yield f"only in {study.root}: {cells.arm_name(setting, arm)}"
