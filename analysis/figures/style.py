"""Style of figures.

The palette of Okabe and Ito is safe for colour-blind readers; line styles differ in greyscale. Its
yellow is illegible on white and replaced by the wine of Tol's palette.
"""

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import numpy as np
from matplotlib.figure import Figure

PALETTE = ["#E69F00", "#56B4E9", "#009E73", "#CC79A7", "#0072B2", "#D55E00", "#882255", "#999999"]
STYLES = ["-", "--", "-.", ":"]
MARKERS = ["s", "^", "v", "D", "P", "X", "<"]
"""Seven markers, so that repeated colours have other markers."""

BASELINE = {"color": "black", "linestyle": "-", "marker": "o"}
CLEAN = PALETTE[4]
NOISY = PALETTE[5]


def look(k: int) -> dict[str, Any]:
    """Return colour, line style and marker of the k-th arm of a panel; 0 is the baseline."""
    if k == 0:
        return dict(BASELINE)
    place = k - 1
    repeats = place // len(PALETTE)
    return {
        "color": PALETTE[place % len(PALETTE)],
        "linestyle": STYLES[(k + repeats) % len(STYLES)],
        "marker": MARKERS[place % len(MARKERS)],
    }


def panels(
    rows: int, columns: int, width: float, height: float, **options: Any
) -> tuple[Figure, np.ndarray]:
    """Return a figure of rows × columns panels, and its axes (rows, columns).

    `width` and `height` of a panel are in inches.
    """
    figure = Figure(figsize=(width * columns, height * rows), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    for axis in axes.flat:
        axis.grid(alpha=0.3)
    return figure, axes


def title(*parts: str) -> str:
    """Join the non-empty parts with dots."""
    return " · ".join(filter(None, parts))


def save(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as PNG and SVG; the SVG's identifiers do not change from run to run."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    png = stem.with_suffix(".png")
    svg = stem.with_suffix(".svg")
    with matplotlib.rc_context({"svg.hashsalt": stem.name}):
        figure.savefig(png, dpi=120)
        # The layout is computed once; to repeat it takes half of a large figure's time.
        figure.set_layout_engine(None)
        figure.savefig(svg, metadata={"Date": None})
    return [png, svg]
