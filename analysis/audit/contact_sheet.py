"""Contact sheet of an audit.

One self-contained page with the images of the most probable label errors.
"""

from dataclasses import dataclass
from pathlib import Path

import jinja2
import pandas as pd


@dataclass(frozen=True)
class Card:
    """One image of the sheet.

    Attributes:
        source: address of the image; a data URI, so that the page needs no other file. None: there
            is no image.
        key: file name or row of the data set.
        given, suggested, true: names of classes; None if there is no suggestion, or the truth is
            unknown.
        text: text of the sample; None: there is none.
        wrong, confidence: probabilities that the given label is wrong and that the suggestion is
            right; None if the audit cannot give them.
    """

    source: str | None
    key: str
    given: str
    suggested: str | None
    wrong: float | None
    confidence: float | None
    true: str | None = None
    text: str | None = None


@dataclass(frozen=True)
class Section:
    """A table of text below the images, with its heading and explanation."""

    title: str
    table: pd.DataFrame
    note: str


def page(title: str, lead: list[str], cards: list[Card], sections: list[Section]) -> str:
    """Render the page.

    It shows the sentences of `lead`, the cards with filters by given and suggested class, and the
    sections.
    """
    source = Path(__file__).with_name("contact_sheet.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    given = {card.given for card in cards}
    suggested = {card.suggested for card in cards if card.suggested is not None}
    classes = {"given": sorted(given, key=_in_order)}
    if suggested:
        classes["suggested"] = sorted(suggested, key=_in_order)
    return environment.from_string(source).render(
        wide=any(card.text is not None for card in cards),
        title=title,
        lead=lead,
        cards=cards,
        sections=sections,
        classes=classes,
    )


def _in_order(name: str) -> tuple[bool, int, str]:
    """Return a sort key: numbers by value, then words."""
    if name.isdecimal():
        return False, int(name), name
    return True, 0, name
