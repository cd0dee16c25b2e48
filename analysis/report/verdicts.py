"""Results as sentences: better, worse, equivalent and inconclusive arms."""

from collections.abc import Iterator, Mapping
from typing import Any, get_args

import pandas as pd

from analysis.report import cells, tables
from analysis.results.measure import WITHHELD
from analysis.results.study_plan import BASELINE, SequentialDesign
from analysis.stats.attainable_p import FEWEST_SEEDS
from analysis.stats.sequential import Verdict

VERDICTS: tuple[str, ...] = (*get_args(Verdict), WITHHELD)


def sentence(row: Mapping[Any, Any], margin: float) -> str:
    """Write `one_network: −2.00 points [−2.60, −1.40], 8 seeds: worse (p 0.0078)`.

    With unchecked test labels the points are said to be those of agreement, or of accuracy.
    """
    seeds = f"{row['seeds']:.0f} {_seeds(row['seeds'])}"
    text = f"{row['arm']}: {measured(row)}, {seeds}: {meaning(row, margin)}"
    if row["setting"]:
        text = f"{row['setting']}: {text}"
    return text


def meaning(row: Mapping[Any, Any], margin: float) -> str:
    """Write the verdict with what it rests on, and the failures of both arms if there are any."""
    verdict = str(row["verdict"])
    text = verdict
    if verdict == WITHHELD:
        text += overturned(row)
    elif verdict in ("better", "worse"):
        by = row.get("judged_by")
        text += f" by {by}" if by else f" (p {cells.p_value(row['p_adjusted'])})"
    elif verdict == "equivalent":
        text = f"equivalent within ±{margin:g} points in the center"
    elif verdict == "inconclusive":
        more = cells.seeds(row["more_low"], row["more_high"])
        if more:
            text = f"inconclusive; {more} seeds would decide"
    if verdict == "equivalent" or row["fails_more"] or row["fails_less"]:
        text += f"; {failures(row)}"
    return text


def measured(row: Mapping[Any, Any]) -> str:
    """Write the difference that a verdict is about, with its interval.

    It is `−2.00 points [−2.60, −1.40]`, and `points of accuracy` or `points of agreement` where the
    test labels are unchecked.
    """
    if row.get("judged_by"):
        return _points("of accuracy", row["true_difference"], row["true_low"], row["true_high"])
    unit = "of agreement" if row["verdict"] == WITHHELD else ""
    return _points(unit, row["difference"], row["low"], row["high"])


def _points(unit: str, value: float, low: float, high: float) -> str:
    points = f"{cells.signed(value)} points {unit}"
    if not cells.known(value):
        points = "no seed without a failure"
    return f"{points.strip()} {cells.bounds(low, high)}".rstrip()


def overturned(row: Mapping[Any, Any]) -> str:
    """Write how many wrong labels could overturn a difference; empty if it is unknown."""
    if not cells.known(row.get("wrong_for_zero")):
        return ""
    text = f": wrong test labels on {row['wrong_for_zero']:.1f} % of the images could make it 0"
    if row["wrong_for_interval"]:
        text += f", and on {row['wrong_for_interval']:.1f} % make its interval hold 0"
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


def of_truth(known: pd.DataFrame, margin: float) -> Iterator[str]:
    """Yield sentences on arms whose accuracy is known, though test labels are unchecked."""
    for row in known.to_dict("records"):
        if row["arm"] != BASELINE:
            yield sentence(row, margin)


def summary(table: pd.DataFrame, margin: float) -> dict[str, list[str]]:
    """Return verdict → sentences about its arms, the largest differences first."""
    rows = table[table["verdict"] != ""].to_dict("records")
    rows.sort(key=_size)
    sentences: dict[str, list[str]] = {verdict: [] for verdict in VERDICTS}
    for row in rows:
        sentences[row["verdict"]].append(sentence(row, margin))
    return sentences


def _size(row: Mapping[Any, Any]) -> float:
    """Return the key by which large differences are first."""
    value = row["true_difference"] if row.get("judged_by") else row["difference"]
    return -abs(value) if cells.known(value) else 0


def reach(table: pd.DataFrame, design: SequentialDesign | None) -> Iterator[str]:
    """Yield sentences on what the seeds of each setting and family can show."""
    for setting, family, rows in tables.families(table):
        compared = rows[rows["arm"] != BASELINE]
        seeds = compared["seeds"].max()
        if not seeds > 0:
            continue
        name = f"{setting}: family {family}" if setting else f"family {family}"
        decided = int((~compared["verdict"].isin(["inconclusive", WITHHELD, ""])).sum())
        text = f"{name}: {decided} of {len(compared)} questions decided"
        if design is not None:
            text += f", looked at from {design.at_least} to at most {design.at_most} seeds"
        elif seeds < FEWEST_SEEDS and "judged_by" not in compared:
            text += (
                f"; {seeds:.0f} {_seeds(seeds)} cannot show a difference, "
                f"at least {FEWEST_SEEDS} are needed"
            )
        if (compared["verdict"] == WITHHELD).any():
            text += "; verdicts are withheld, because the test labels are unchecked"
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
