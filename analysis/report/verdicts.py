"""Results as sentences: better, worse, equivalent and inconclusive arms."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pandas as pd

from analysis.report import cells, tables
from analysis.results.study_plan import BASELINE, SequentialDesign
from analysis.stats.attainable_p import FEWEST_SEEDS
from analysis.stats.sequential import Verdict

VERDICTS: tuple[str, ...] = get_args(Verdict)


def sentence(row: Mapping[Any, Any], margin: float) -> str:
    """Write `one_network: −2.00 points [−2.60, −1.40], 8 seeds: worse (p 0.0078)`."""
    points = f"{cells.signed(row['difference'])} points"
    if not cells.known(row["difference"]):
        points = "no seed without a failure"
    bounds = cells.bounds(row["low"], row["high"])
    interval = f"{points} {bounds}".rstrip()
    seeds = f"{row['seeds']:.0f} {_seeds(row['seeds'])}"
    text = f"{row['arm']}: {interval}, {seeds}: {meaning(row, margin)}"
    if row["setting"]:
        text = f"{row['setting']}: {text}"
    return text


def meaning(row: Mapping[Any, Any], margin: float) -> str:
    """Write the verdict with what it rests on, and the failures of both arms if there are any."""
    verdict = str(row["verdict"])
    text = verdict
    if verdict in ("better", "worse"):
        text = f"{verdict} (p {cells.p_value(row['p_adjusted'])})"
    elif verdict == "equivalent":
        text = f"equivalent within ±{margin:g} points in the center"
    elif verdict == "inconclusive":
        more = cells.seeds(row["more_low"], row["more_high"])
        if more:
            text = f"inconclusive; {more} seeds would decide"
    if verdict == "equivalent" or row["fails_more"] or row["fails_less"]:
        text += f"; {failures(row)}"
    return text


def failures(row: Mapping[Any, Any]) -> str:
    """Write `failed alone on 1 seed, the baseline on 0 (rates differ by −8 % to +31 %)`."""
    more = f"{row['fails_more']:.0f}"
    unit = _seeds(row["fails_more"])
    rates = cells.percentages(row["rate_low"], row["rate_high"])
    return (
        f"failed alone on {more} {unit}, the baseline on {row['fails_less']:.0f} "
        f"(difference of the rates in {rates})"
    )


def summary(table: pd.DataFrame, margin: float) -> dict[str, list[str]]:
    """Return verdict → sentences about its arms, the largest differences first."""
    rows = table[table["verdict"] != ""].to_dict("records")
    rows.sort(key=lambda row: -abs(row["difference"]) if cells.known(row["difference"]) else 0)
    sentences: dict[str, list[str]] = {verdict: [] for verdict in VERDICTS}
    for row in rows:
        sentences[row["verdict"]].append(sentence(row, margin))
    return sentences


def reach(table: pd.DataFrame, design: SequentialDesign | None) -> Iterator[str]:
    """Yield sentences on what the seeds of each setting and family can show."""
    for setting, family, rows in tables.families(table):
        compared = rows[rows["arm"] != BASELINE]
        seeds = compared["seeds"].max()
        if not seeds > 0:
            continue
        name = f"{setting}: family {family}" if setting else f"family {family}"
        decided = int((~compared["verdict"].isin(["inconclusive", ""])).sum())
        text = f"{name}: {decided} of {len(compared)} questions decided"
        if design is not None:
            text += f", looked at from {design.at_least} to at most {design.at_most} seeds"
        elif seeds < FEWEST_SEEDS:
            text += (
                f"; {seeds:.0f} {_seeds(seeds)} cannot show a difference, "
                f"at least {FEWEST_SEEDS} are needed"
            )
        yield text


def unusual(table: pd.DataFrame) -> Iterator[str]:
    """Yield a sentence for each setting whose baseline fails in half of its runs or more."""
    for row in table[table["arm"] == BASELINE].to_dict("records"):
        if row["n"] and row["failed"] * 2 >= row["n"]:
            where = f"{row['setting']}: " if row["setting"] else ""
            yield (
                f"{where}the baseline failed in {row['failed']} of {row['n']} runs; where that is "
                "usual, failed runs count like the others. Train longer, or look at the classes "
                "that it does not predict"
            )


def _seeds(count: float) -> str:
    return "seed" if count == 1 else "seeds"
