"""Numbers and words as text of a cell: unknown numbers are empty, minus signs are `−`."""

import math
from typing import Any

MANY = 64
"""Number of seeds beyond which no number is promised."""


def known(value: float | None) -> bool:
    """Return whether there is a number."""
    return value is not None and not math.isnan(value)


def finished(row: dict[Any, Any]) -> str:
    """Write completed trials as `8`, `7 of 8` or `8 (1 failed)`."""
    done = row["n"]
    planned = row["planned"]
    failed = row["failed"]
    text = f"{done}"
    if done != planned:
        text = f"{done} of {planned}"
    if failed:
        text += f" ({failed} failed)"
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


def percentages(low: float, high: float) -> str:
    """Write an interval of rates (−1 to 1) as `[−12 %, +31 %]`."""
    if not known(low):
        return ""
    ends = [f"{100 * end:+.0f} %".replace("-", "−") for end in (low, high)]
    return f"[{', '.join(ends)}]"


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


def seeds(low: float, high: float) -> str:
    """Write a range of numbers of seeds as `9 to 40`, `9 to more than 64` or `more than 64`."""
    if not known(low):
        return ""
    if low > MANY:
        return f"more than {MANY}"
    if high > MANY:
        return f"{low:.0f} to more than {MANY}"
    if low == high:
        return f"{low:.0f}"
    return f"{low:.0f} to {high:.0f}"


def signed(value: float) -> str:
    """Write a signed number as `+0.31` or `−2.00`; zero has no sign."""
    if not known(value):
        return ""
    text = f"{value:+.2f}"
    if float(text) == 0:
        return "0.00"
    return text.replace("-", "−").replace("inf", "∞")


def arm_name(setting: str | None, arm: str) -> str:
    """Write an arm with its setting, `sym80/baseline`, or alone in a study without settings."""
    if not setting:
        return arm
    return f"{setting}/{arm}"
