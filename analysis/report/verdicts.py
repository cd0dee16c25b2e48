"""Results in sentences: what matters, what does not, and what nobody can tell yet."""

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
    place = f"{row['setting']}: " if row["setting"] else ""
    interval = cells.interval(row["difference"], row["low"], row["high"]).replace(
        " ", " points ", 1
    )
    interval = interval if "[" in interval else f"{interval} points"
    pairs = f"{row['pairs']:.0f} {_seeds(row['pairs'])}"
    return f"{place}{row['arm']}: {interval}, {pairs}: {meaning(row, margin)}"


def meaning(row: Mapping[Any, Any], margin: float) -> str:
    """The verdict, with what it would take to reach one."""
    if row["verdict"] == "matters":
        return f"matters (Holm p {cells.p_value(row['p_holm'])})"
    if row["verdict"] == "equivalent":
        return f"equivalent within ±{margin:g} points"
    detect, equivalent = row["seeds_to_detect"], row["seeds_for_equivalence"]
    if not cells.known(detect):
        return f"undecided: {'one seed has' if row['pairs'] == 1 else 'the differences have'} no spread"
    if math.isinf(min(detect, equivalent)):
        return "undecided, and no number of seeds that is worth it would tell"
    if equivalent <= detect:
        return f"undecided; about {cells.seeds(equivalent)} seeds would show that it is within ±{margin:g} points"
    return f"undecided; about {cells.seeds(detect)} seeds would detect such a difference"


def summary(table: pd.DataFrame, margin: float) -> dict[str, list[str]]:
    """Sentences about every paired arm by verdict; within one, the largest differences first."""
    rows = table[table["verdict"] != ""].to_dict("records")
    rows.sort(key=lambda row: -abs(row["difference"]))
    return {v: [sentence(row, margin) for row in rows if row["verdict"] == v] for v in VERDICTS}


def reach(table: pd.DataFrame) -> Iterator[str]:
    """One sentence a setting and family: whether its seeds can reach significance at all."""
    for setting, family, rows in tables.families(table):
        compared = rows[rows["arm"] != BASELINE]
        comparisons, pairs = int(compared["comparisons"].max()), int(compared["pairs"].max())
        if not pairs:
            continue
        p = smallest_p(comparisons, pairs)
        text = f"{setting + ': ' if setting else ''}family {family}: with {pairs} {_seeds(pairs)} and {comparisons} "
        text += f"comparison{'s' * (comparisons != 1)} the smallest Holm p is {p:.4f}"
        yield text + (
            "" if p <= ALPHA else f"; from {seeds_to_reach(comparisons)} seeds on an arm can matter"
        )


def _seeds(count: float) -> str:
    return "seed" if count == 1 else "seeds"
