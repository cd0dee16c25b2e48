"""Elements of a report: tables and figures with their explanations."""

import base64
from dataclasses import dataclass
from pathlib import Path

import pandas as pd


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
    """A figure's files (PNG, SVG) and caption."""

    caption: str
    paths: list[Path]

    @property
    def source(self) -> str:
        """The SVG as a data URI, so that the page needs no other file."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.paths[1].read_bytes()).decode()
