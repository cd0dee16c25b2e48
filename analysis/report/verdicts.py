"""Results in sentences: what matters, what does not, and what is inconclusive."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from analysis.report import cells, tables
from analysis.stats.attainable_p import ALPHA, seeds_to_reach, smallest_p
from analysis.stats.comparison import BASELINE

VERDICTS = ("matters", "equivalent", "undecided")


def sentence(row: Mapping[Any, Any], margin: float) -> str:
    """`one_network: −2.00 points [−2.60, −1.40], 8 seeds: matters`."""
    points = f"{cells.signed(row['difference'])} points"
    bounds = cells.bounds(row["low"], row["high"])
    interval = f"{points} {bounds}".rstrip()
    pairs = f"{row['pairs']:.0f} {_seeds(row['pairs'])}"
    text = f"{row['arm']}: {interval}, {pairs}: {meaning(row, margin)}"
    if row["setting"]:
        text = f"{row['setting']}: {text}"
    return text


def meaning(row: Mapping[Any, Any], margin: float) -> str:
    """The verdict, with what it would take to reach one."""
    if row["verdict"] == "matters":
        return f"matters (Holm p {cells.p_value(row['p_holm'])})"
    if row["verdict"] == "equivalent":
        return f"equivalent within ±{margin:g} points"
    return _undecided(row, margin)


def _undecided(row: Mapping[Any, Any], margin: float) -> str:
    """How many seeds would decide, by the shorter way."""
    detect = row["seeds_to_detect"]
    equivalent = row["seeds_for_equivalence"]
    if not cells.known(detect):
        if row["pairs"] == 1:
            return "undecided: one seed has no spread"
        return "undecided: the differences have no spread"
    if math.isinf(min(detect, equivalent)):
        return "undecided, and no number of seeds that is worth it would tell"
    if equivalent <= detect:
        count = cells.seeds(equivalent)
        return f"undecided; about {count} seeds would show that it is within ±{margin:g} points"
    return f"undecided; about {cells.seeds(detect)} seeds would detect such a difference"


def summary(table: pd.DataFrame, margin: float) -> dict[str, list[str]]:
    """Sentences about every paired arm by verdict; within one, the largest differences first."""
    rows = table[table["verdict"] != ""].to_dict("records")
    rows.sort(key=lambda row: -abs(row["difference"]))
    sentences: dict[str, list[str]] = {verdict: [] for verdict in VERDICTS}
    for row in rows:
        sentences[row["verdict"]].append(sentence(row, margin))
    return sentences


def reach(table: pd.DataFrame) -> Iterator[str]:
    """One sentence a setting and family: whether its seeds can reach significance at all."""
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
    """The smallest p that these pairs can give, and the seeds needed where it is too large."""
    p = smallest_p(comparisons, pairs)
    plural = "" if comparisons == 1 else "s"
    text = f"with {pairs} {_seeds(pairs)} and {comparisons} comparison{plural}"
    text += f" the smallest Holm p is {p:.4f}"
    if p > ALPHA:
        text += f"; from {seeds_to_reach(comparisons)} seeds on an arm can matter"
    return text


def _seeds(count: float) -> str:
    return "seed" if count == 1 else "seeds"
