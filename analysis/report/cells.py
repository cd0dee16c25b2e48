"""Numbers and words as text of a cell: unknown numbers are empty, minus signs are `−`."""

import math
from typing import Any

VERDICT_WORDS = {"matters": "significant", "undecided": "inconclusive"}
"""Verdict of `analysis.stats.comparison`, as stored → word in reports, if it is another."""


def known(value: float | None) -> bool:
    """Return whether there is a number."""
    return value is not None and not math.isnan(value)


def finished(row: dict[Any, Any]) -> str:
    """Write completed trials as `8`, `7 of 8` or `8 (1 collapsed)`."""
    done = row["n"]
    planned = row["planned"]
    collapsed = row["collapsed"]
    text = f"{done}"
    if done != planned:
        text = f"{done} of {planned}"
    if collapsed:
        text += f" ({collapsed} collapsed)"
    return text


def spread(mean: float, sd: float) -> str:
    """Write mean and sd as `91.16 ± 4.68`."""
    text = number(mean)
    if known(sd):
        text += f" ± {sd:.2f}"
    return text


def interval(value: float, low: float, high: float) -> str:
    """Write a value and its interval as `+0.31 [−0.10, +0.72]`."""
    text = f"{signed(value)} {bounds(low, high)}"
    return text.strip()


def bounds(low: float, high: float) -> str:
    """Write an interval as `[−0.10, +0.72]`."""
    if not known(low):
        return ""
    return f"[{signed(low)}, {signed(high)}]"


def number(value: float) -> str:
    """Write a number as `1.25`."""
    if not known(value):
        return ""
    return f"{value:.2f}"


def p_value(p: float) -> str:
    """Write a p value as `0.0469`; it is never 0."""
    if not known(p):
        return ""
    if p < 0.00005:
        return "<0.0001"
    return f"{p:.4f}"


def seeds(count: float) -> str:
    """Write a number of seeds as `12`, or `many` beyond the limit."""
    if not known(count):
        return ""
    if math.isinf(count):
        return "many"
    return f"{count:.0f}"


def signed(value: float) -> str:
    """Write a signed number as `+0.31` or `−2.00`; zero has no sign."""
    if not known(value):
        return ""
    text = f"{value:+.2f}"
    if float(text) == 0:
        return "0.00"
    return text.replace("-", "−")


def verdict_word(verdict: str) -> str:
    """Write a verdict as `significant`, `equivalent` or `inconclusive`."""
    return VERDICT_WORDS.get(verdict, verdict)


def arm_name(setting: str | None, arm: str) -> str:
    """Write an arm with its setting, `sym80/baseline`, or alone in a study without settings."""
    if not setting:
        return arm
    return f"{setting}/{arm}"
