"""How figures look: the colours of Okabe and Ito, told apart without colour vision, and line styles for grey."""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.figure import Figure

PALETTE = ["#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#F0E442", "#999999"]
STYLES = ["-", "--", "-.", ":"]
MARKERS = [
    "s",
    "^",
    "v",
    "D",
    "P",
    "X",
    "<",
]  # seven, so that eight colours meet other markers when they repeat
BASELINE = {"color": "black", "linestyle": "-", "marker": "o"}
CLEAN, NOISY = PALETTE[4], PALETTE[5]


def look(k: int) -> dict[str, Any]:
    """Colour, line style and marker of the k-th arm of a panel; the 0th is the baseline."""
    if k == 0:
        return dict(BASELINE)
    return {
        "color": PALETTE[(k - 1) % len(PALETTE)],
        "linestyle": STYLES[(k + (k - 1) // len(PALETTE)) % len(STYLES)],
        "marker": MARKERS[(k - 1) % len(MARKERS)],
    }


def panels(
    rows: int, columns: int, width: float, height: float, **options: Any
) -> tuple[Figure, np.ndarray]:
    """A figure of rows × columns panels of so many inches each, and its axes (rows, columns)."""
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    for axis in axes.flat:
        axis.grid(alpha=0.3)
    return figure, axes


def title(*parts: str) -> str:
    """The parts that there are, with dots between."""
    return " · ".join(filter(None, parts))


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PNG and SVG; the SVG's identifiers do not change from run to run."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    paths = [stem.with_suffix(".png"), stem.with_suffix(".svg")]
    with matplotlib.rc_context({"svg.hashsalt": stem.name}):
        figure.savefig(paths[0], dpi=120)
        figure.set_layout_engine(
            None
        )  # the places are found: finding them again takes half of a large figure's time
        figure.savefig(paths[1], metadata={"Date": None})
    return paths
