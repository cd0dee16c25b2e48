"""Numbers as the text of a cell: unknown ones are empty, minus signs are true ones."""

import math


def known(value: float | None) -> bool:
    """Whether there is a number."""
    return value is not None and not math.isnan(value)


def finished(row: dict) -> str:
    """`8`, or `7 of 8`, or `8, 1 collapsed`."""
    n = f"{row['n']}" if row["n"] == row["planned"] else f"{row['n']} of {row['planned']}"
    return f"{n} ({row['collapsed']} collapsed)" if row["collapsed"] else n


def spread(mean: float, sd: float) -> str:
    """`91.16 ± 4.68`."""
    return (f"{mean:.2f}" if known(mean) else "") + (f" ± {sd:.2f}" if known(sd) else "")


def interval(value: float, low: float, high: float) -> str:
    """`+0.31 [−0.10, +0.72]`."""
    return (signed(value) + " " + bounds(low, high)).strip()


def bounds(low: float, high: float) -> str:
    """`[−0.10, +0.72]`."""
    return f"[{signed(low)}, {signed(high)}]" if known(low) else ""


def number(value: float) -> str:
    """`1.25`."""
    return f"{value:.2f}" if known(value) else ""


def p_value(p: float) -> str:
    """`0.0469`, never 0."""
    return "" if not known(p) else f"{p:.4f}" if p >= 0.00005 else "<0.0001"


def seeds(count: float) -> str:
    """`12`, or `many` beyond the count's limit."""
    return "" if not known(count) else "many" if math.isinf(count) else f"{count:.0f}"


def signed(value: float) -> str:
    """`+0.31` or `−2.00`, with a true minus; zero has no sign."""
    if not known(value):
        return ""
    text = f"{value:+.2f}"
    return "0.00" if float(text) == 0 else text.replace("-", "−")


def place(setting: str, arm: str) -> str:
    """`sym80/baseline`, or the arm alone."""
    return f"{setting}/{arm}" if setting else arm
