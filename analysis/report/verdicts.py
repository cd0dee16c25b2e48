"""Results as sentences: significant, equivalent and inconclusive differences."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from analysis.report import cells, tables
from analysis.stats.attainable_p import ALPHA, seeds_to_reach, smallest_p
from analysis.stats.comparison import BASELINE

VERDICTS = ("matters", "equivalent", "undecided")
"""Verdicts as they are stored; reports use the words of `cells.verdict_word`."""


def sentence(row: Mapping[Any, Any], margin: float) -> str:
    """Write `one_network: −2.00 points [−2.60, −1.40], 8 seeds: significant (Holm p 0.0078)`."""
    points = f"{cells.signed(row['difference'])} points"
    bounds = cells.bounds(row["low"], row["high"])
    interval = f"{points} {bounds}".rstrip()
    pairs = f"{row['pairs']:.0f} {_seeds(row['pairs'])}"
    text = f"{row['arm']}: {interval}, {pairs}: {meaning(row, margin)}"
    if row["setting"]:
        text = f"{row['setting']}: {text}"
    return text


def meaning(row: Mapping[Any, Any], margin: float) -> str:
    """Write the verdict; if it is inconclusive, with the number of seeds that would decide."""
    if row["verdict"] == "matters":
        return f"significant (Holm p {cells.p_value(row['p_holm'])})"
    if row["verdict"] == "equivalent":
        return f"equivalent within ±{margin:g} points"
    return _undecided(row, margin)


def _undecided(row: Mapping[Any, Any], margin: float) -> str:
    """Write the smaller number of seeds that would show a difference or equivalence."""
    detect = row["seeds_to_detect"]
    equivalent = row["seeds_for_equivalence"]
    if not cells.known(detect):
        if row["pairs"] == 1:
            return "inconclusive: one seed has no spread"
        return "inconclusive: the differences have no spread"
    if math.isinf(min(detect, equivalent)):
        return "inconclusive: the effect is too small to resolve with a practical number of seeds"
    if equivalent <= detect:
        count = cells.seeds(equivalent)
        return f"inconclusive; about {count} seeds would show equivalence within ±{margin:g} points"
    return f"inconclusive; about {cells.seeds(detect)} seeds would detect a difference of this size"


def summary(table: pd.DataFrame, margin: float) -> dict[str, list[str]]:
    """Return verdict → sentences about its arms, the largest differences first."""
    rows = table[table["verdict"] != ""].to_dict("records")
    rows.sort(key=lambda row: -abs(row["difference"]))
    sentences: dict[str, list[str]] = {verdict: [] for verdict in VERDICTS}
    for row in rows:
        sentences[row["verdict"]].append(sentence(row, margin))
    return sentences


def reach(table: pd.DataFrame) -> Iterator[str]:
    """Yield a sentence per setting and family on whether its seeds can reach significance."""
    for setting, family, rows in tables.families(table):
        compared = rows[rows["arm"] != BASELINE]
        comparisons = int(compared["comparisons"].max())
        pairs = int(compared["pairs"].max())
        if pairs:
            text = f"family {family}: {_reach(comparisons, pairs)}"
            if setting:
                text = f"{setting}: {text}"
            yield text


def _reach(comparisons: int, pairs: int) -> str:
    """Write the smallest attainable p of these pairs, and the seeds needed if it is too large."""
    p = smallest_p(comparisons, pairs)
    plural = "" if comparisons == 1 else "s"
    seeds = f"{pairs} {_seeds(pairs)}"
    verb = "are"
    if pairs == 1:
        verb = "is"
    smallest = f"smallest attainable Holm p {p:.4f}"
    what = f"for {comparisons} comparison{plural} ({smallest})"
    if p > ALPHA:
        needed = seeds_to_reach(comparisons)
        return f"{seeds} {verb} too few {what}; at least {needed} are needed"
    return f"{seeds} {verb} enough {what}"


def _seeds(count: float) -> str:
    return "seed" if count == 1 else "seeds"
