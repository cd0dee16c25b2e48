"""What a report is made of: tables and pictures, each with what explains it."""

import base64
from dataclasses import dataclass
from pathlib import Path

import pandas as pd


@dataclass(frozen=True)
class Block:
    """A table of text with its heading, and the sentence that explains it."""

    name: str
    title: str
    table: pd.DataFrame
    note: str = ""


@dataclass(frozen=True)
class Picture:
    """A figure's files (PNG, SVG) and what it shows."""

    caption: str
    paths: list[Path]

    @property
    def source(self) -> str:
        """The SVG as the address of an image, so that the page needs no other file."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.paths[1].read_bytes()).decode()
