"""Elements of a report: tables and figures with their explanations."""

import base64
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pandas as pd

from analysis.figures.drawing import Group
from trainable.storage.names import FIGURES


@dataclass(frozen=True)
class Block:
    """A table of text with its heading, explanation and the address of a page with more."""

    name: str
    title: str
    table: pd.DataFrame
    note: str = ""
    link: str = ""


@dataclass(frozen=True)
class Picture:
    """A figure's caption, its files (PNG, SVG), and the drawings by which the page shows it.

    Without drawings, the page shows the SVG.
    """

    caption: str
    paths: list[Path]
    groups: list[Group] = field(default_factory=list)

    @property
    def files(self) -> list[str]:
        """Addresses of the files from the page."""
        report = next(path for path in self.paths[0].parents if path.name == FIGURES).parent
        return [quote(path.relative_to(report).as_posix()) for path in self.paths]

    @property
    def source(self) -> str:
        """The SVG as a data URI, so that the page needs no other file."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.paths[1].read_bytes()).decode()
