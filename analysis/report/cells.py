"""Numbers as the text of a cell: unknown ones are empty, minus signs are true ones."""

import math
from typing import Any


def known(value: float | None) -> bool:
    """Whether there is a number."""
    return value is not None and not math.isnan(value)


def finished(row: dict[Any, Any]) -> str:
    """`8`, or `7 of 8`, or `8 (1 collapsed)`."""
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
    """`91.16 ± 4.68`."""
    text = number(mean)
    if known(sd):
        text += f" ± {sd:.2f}"
    return text


def interval(value: float, low: float, high: float) -> str:
    """`+0.31 [−0.10, +0.72]`."""
    text = f"{signed(value)} {bounds(low, high)}"
    return text.strip()


def bounds(low: float, high: float) -> str:
    """`[−0.10, +0.72]`."""
    if not known(low):
        return ""
    return f"[{signed(low)}, {signed(high)}]"


def number(value: float) -> str:
    """`1.25`."""
    if not known(value):
        return ""
    return f"{value:.2f}"


def p_value(p: float) -> str:
    """`0.0469`, never 0."""
    if not known(p):
        return ""
    if p < 0.00005:
        return "<0.0001"
    return f"{p:.4f}"


def seeds(count: float) -> str:
    """`12`, or `many` beyond the count's limit."""
    if not known(count):
        return ""
    if math.isinf(count):
        return "many"
    return f"{count:.0f}"


def signed(value: float) -> str:
    """`+0.31` or `−2.00`, with a true minus; zero has no sign."""
    if not known(value):
        return ""
    text = f"{value:+.2f}"
    if float(text) == 0:
        return "0.00"
    return text.replace("-", "−")


def arm_name(setting: str | None, arm: str) -> str:
    """Write an arm with its setting, `sym80/baseline`, or alone in a study without settings."""
    if not setting:
        return arm
    return f"{setting}/{arm}"
