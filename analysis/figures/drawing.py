"""Drawings inside a page: SVG whose colours and dashes are classes of the page's style sheet.

A drawing has no style and no script of its own, so that it needs no exception from the page's
security policy and follows its dark mode. Values are shown on hover by `<title>`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

import numpy as np
from matplotlib.ticker import MaxNLocator

COLOURS = 8
DASHES = 4
SHAPES = ("square", "triangle", "diamond", "cross")
"""Looks of arms other than the baseline repeat after this many colours, dashes and shapes."""


@dataclass(frozen=True)
class Key:
    """An entry of a legend: number of the arm in its group (0: the baseline), and its text."""

    number: int
    text: str

    @property
    def swatch(self) -> str:
        """A piece of the arm's line with its mark."""
        drawing = Drawing(34, 14)
        group = drawing.group(arm_class(self.number))
        drawing.line(group, [(0, 7), (34, 7)], "line")
        drawing.mark(group, 17, 7, self.number)
        return drawing.markup()


@dataclass(frozen=True)
class Panel:
    """One drawing with its title."""

    title: str
    svg: str


@dataclass(frozen=True)
class Group:
    """Panels that share a legend."""

    panels: list[Panel]
    keys: list[Key] = field(default_factory=list)


@dataclass(frozen=True)
class Scale:
    """A linear scale from values to pixels."""

    low: float
    high: float
    start: float
    end: float

    def at(self, value: float) -> float:
        """Return the pixel of a value."""
        share = (value - self.low) / (self.high - self.low)
        return self.start + share * (self.end - self.start)

    def ticks(self, count: int = 5) -> list[float]:
        """Return round values within the scale."""
        places = MaxNLocator(count, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
        return [float(value) for value in places if self.low <= value <= self.high]

    @classmethod
    def over(cls, values: Iterable[float], start: float, end: float) -> "Scale":
        """Return a scale that holds all finite values with a little room."""
        finite = [value for value in values if np.isfinite(value)]
        low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
        room = 0.04 * (high - low) or 0.5
        return cls(low - room, high + room, start, end)


def arm_class(number: int) -> str:
    """Return the classes of the elements of an arm: what they look like, and which arm it is."""
    if number == 0:
        return "arm a0 base"
    place = number - 1
    dash = (number + place // COLOURS) % DASHES
    return f"arm a{number} c{place % COLOURS} d{dash}"


def tick_text(value: float) -> str:
    """Write the value of a tick."""
    return f"{value:.6g}".replace("-", "−")


class Drawing:
    """An SVG.

    Args:
        width, height: size in pixels; the page scales it.
        title: what it shows, for readers who do not see it; "": it is decoration.
    """

    def __init__(self, width: float, height: float, title: str = ""):
        self.root = Element(
            "svg", viewBox=f"0 0 {width:g} {height:g}", width=f"{width:g}", height=f"{height:g}"
        )
        if title:
            self.root.set("role", "img")
            self.root.set("aria-label", title)
        else:
            self.root.set("aria-hidden", "true")

    def group(self, classes: str, parent: Element | None = None) -> Element:
        """Add a group of elements."""
        return SubElement(self.root if parent is None else parent, "g", {"class": classes})

    def line(self, parent: Element, points: Sequence[tuple[float, float]], classes: str) -> Element:
        """Add a line through points; where one is not finite, it has a gap."""
        path = ""
        pen_down = False
        for x, y in points:
            if not np.isfinite(x + y):
                pen_down = False
                continue
            path += f"{'L' if pen_down else 'M'}{x:.1f} {y:.1f}"
            pen_down = True
        return SubElement(parent, "path", {"class": classes, "d": path})

    def area(
        self, parent: Element, points: Sequence[tuple[float, float, float]], classes: str
    ) -> None:
        """Add an area between (x, lower y, upper y)."""
        known = [point for point in points if np.isfinite(sum(point))]
        if len(known) > 1:
            corners = [(x, low) for x, low, _ in known]
            corners += [(x, high) for x, _, high in reversed(known)]
            text = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
            SubElement(parent, "polygon", {"class": classes, "points": text})

    def rectangle(
        self, parent: Element, x: float, y: float, width: float, height: float, classes: str
    ) -> None:
        """Add a rectangle."""
        place = {"x": f"{x:.1f}", "y": f"{y:.1f}"}
        size = {"width": f"{width:.1f}", "height": f"{height:.1f}"}
        SubElement(parent, "rect", {"class": classes, **place, **size})

    def text(self, parent: Element, x: float, y: float, text: str, classes: str) -> Element:
        """Add a text."""
        found = SubElement(parent, "text", {"class": classes, "x": f"{x:.1f}", "y": f"{y:.1f}"})
        found.text = text
        return found

    def dot(
        self, parent: Element, x: float, y: float, radius: float, classes: str, title: str = ""
    ) -> None:
        """Add a dot, and what is shown on hover; nothing at an unknown place."""
        if not np.isfinite(x + y):
            return
        place = {"cx": f"{x:.1f}", "cy": f"{y:.1f}", "r": f"{radius:g}"}
        self.say(SubElement(parent, "circle", {"class": classes, **place}), title)

    def mark(self, parent: Element, x: float, y: float, number: int, title: str = "") -> None:
        """Add the mark of an arm: a dot for the baseline, another shape for others.

        Nothing is added at an unknown place.
        """
        if not np.isfinite(x + y):
            return
        if number == 0:
            self.dot(parent, x, y, 4, "mark", title)
            return
        shape = SHAPES[(number - 1) % len(SHAPES)]
        path = _SHAPES[shape].format(x=x, y=y, left=x - 4, top=y - 4, right=x + 4, low=y + 4)
        self.say(SubElement(parent, "path", {"class": f"mark {shape}", "d": path}), title)

    def say(self, element: Element, title: str) -> None:
        """Let an element show a text on hover."""
        if title:
            SubElement(element, "title").text = title

    def markup(self) -> str:
        """Return the SVG as text of a page."""
        return ElementTree.tostring(self.root, encoding="unicode")


_SHAPES = {
    "square": "M{left:.1f} {top:.1f}H{right:.1f}V{low:.1f}H{left:.1f}Z",
    "triangle": "M{left:.1f} {low:.1f}L{x:.1f} {top:.1f}L{right:.1f} {low:.1f}Z",
    "diamond": "M{x:.1f} {top:.1f}L{right:.1f} {y:.1f}L{x:.1f} {low:.1f}L{left:.1f} {y:.1f}Z",
    "cross": (
        "M{left:.1f} {top:.1f}L{right:.1f} {low:.1f}M{left:.1f} {low:.1f}L{right:.1f} {top:.1f}"
    ),
}


@dataclass(frozen=True)
class Frame:
    """A drawing with two axes.

    Attributes:
        drawing: the drawing.
        x, y: its scales.
        plot: the group to draw into.
    """

    drawing: Drawing
    x: Scale
    y: Scale
    plot: Element


WIDTH = 400
HEIGHT = 270
LEFT = 52
RIGHT = 10
TOP = 10
BOTTOM = 44
"""Size and margins of a panel in pixels."""


def frame(
    title: str,
    x_values: Iterable[float],
    y_values: Iterable[float],
    x_label: str,
    y_label: str,
    x_names: Sequence[str] | None = None,
) -> Frame:
    """Return a panel with axes, ticks and labels.

    Args:
        title: what it shows.
        x_values, y_values: values that must be inside.
        x_label, y_label: names of the axes with units.
        x_names: texts of the places 0, 1, … of the x axis; None: it has numbers.
    """
    drawing = Drawing(WIDTH, HEIGHT, title)
    x = Scale.over(x_values, LEFT, WIDTH - RIGHT)
    y = Scale.over(y_values, HEIGHT - BOTTOM, TOP)
    axes = drawing.group("axes")
    for value in y.ticks():
        drawing.line(axes, [(LEFT, y.at(value)), (WIDTH - RIGHT, y.at(value))], "grid")
        drawing.text(axes, LEFT - 6, y.at(value) + 4, tick_text(value), "tick end")
    named = {value: tick_text(value) for value in x.ticks(7)}
    if x_names is not None:
        named = {float(place): text for place, text in enumerate(x_names)}
    for value, text in named.items():
        drawing.line(axes, [(x.at(value), HEIGHT - BOTTOM), (x.at(value), TOP)], "grid")
        drawing.text(axes, x.at(value), HEIGHT - BOTTOM + 16, text, "tick middle")
    drawing.text(axes, (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, x_label, "label middle")
    middle = (TOP + HEIGHT - BOTTOM) / 2
    label = drawing.text(axes, 13, middle, y_label, "label middle")
    label.set("transform", f"rotate(-90 13 {middle:g})")
    return Frame(drawing, x, y, drawing.group("plot"))
