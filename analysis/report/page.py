"""The report as one page: it needs no other file, no network, and runs no code but its own."""

import base64
import hashlib
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import jinja2

from analysis.audit.index_page import INDEX
from analysis.report.blocks import Block, Picture
from analysis.report.facts import Facts
from analysis.report.forest import ForestTable
from trainable.storage import names

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Link:
    """A file next to the page: its address, and what is in it."""

    address: str
    text: str


def page(
    root: Path,
    blocks: Sequence[Block],
    pictures: Sequence[Picture],
    forests: Sequence[ForestTable],
    files: Sequence[Path],
    facts: Facts,
) -> str:
    """Return the page.

    Args:
        root: the study's folder.
        blocks: tables.
        pictures: figures.
        forests: a plot of the differences of each setting.
        files: further files of the report to link to.
        facts: everything else.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters["digest"] = digest
    template = environment.from_string(_source("page.html.jinja"))
    return template.render(
        **vars(facts),
        blocks=blocks,
        pictures=pictures,
        forests=forests,
        links=list(_links(root, files)),
        style=_source("page.css"),
        script=_source("page.js"),
        tensorboard=f"python -m orchestrator tensorboard {shlex.quote(str(root))}",
    )


def _source(name: str) -> str:
    return (FOLDER / name).read_text(encoding="utf-8")


def digest(text: str) -> str:
    """Return what a page's security policy calls a style or script, so that no other is used."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _links(root: Path, files: Sequence[Path]) -> Iterator[Link]:
    """Yield the files that readers may want, as addresses from the page."""
    if (root / names.AUDIT / INDEX).is_file():
        yield Link(f"../{names.AUDIT}/{INDEX}", "Audit: labels that are probably wrong")
    yield Link(names.REPORT_TEXT, f"{names.REPORT_TEXT}: the tables as text")
    for file in files:
        if file.suffix == ".csv":
            place = file.relative_to(root / names.REPORT).as_posix()
            yield Link(quote(place), place)
