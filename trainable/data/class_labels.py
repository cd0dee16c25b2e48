"""What a written label means: the name of a class, or its number."""

import unicodedata
from collections.abc import Hashable, Iterable
from typing import TypeVar

from trainable.storage.spreadsheets import unescaped

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class ClassLabels:
    """The classes of a data set by the labels that people and programs write for them.

    A label is compared with the names as it is. Then the apostrophe that protects spreadsheets and
    outer spaces are removed, and Unicode's normal form NFC is compared. Then numbers are compared:
    `7`, `07` and `7.0` are equal. Each comparison must be unique. Where names are numbers, a number
    is always a name. A number is a position, counted from 0, only where no name is a number.

    Args:
        names: names of the classes, in their order; empty: the classes have no names.
        classes: number of classes.
    """

    def __init__(self, names: tuple[str, ...], classes: int):
        self.classes = classes
        self._exact = {name: position for position, name in enumerate(names)}
        self._normal = unique((normal(name), position) for name, position in self._exact.items())
        self._names_by_number = {
            position: number
            for name, position in self._exact.items()
            if (number := whole_number(name)) is not None
        }
        if self._names_by_number:
            numbered = ((number, at) for at, number in self._names_by_number.items())
            self._numbers = unique(numbered)
        else:
            self._numbers = {position: position for position in range(classes)}

    def position(self, label: str) -> int | None:
        """Return the position of the class that a label means; None: no class, or several."""
        if label in self._exact:
            return self._exact[label]
        label = unescaped(label)
        if label in self._exact:
            return self._exact[label]
        if normal(label) in self._normal:
            return self._normal[normal(label)]
        number = whole_number(label)
        return None if number is None else self._numbers.get(number)

    @property
    def misnumbered(self) -> tuple[int, int] | None:
        """The first class whose name is another number than its position: (position, number)."""
        for position, number in self._names_by_number.items():
            if number != position:
                return position, number
        return None


def normal(text: str) -> str:
    """Return a text in Unicode's normal form NFC, without outer spaces."""
    return unicodedata.normalize("NFC", text).strip()


def whole_number(text: str) -> int | None:
    """Return the whole number that a text shows, such as `7`, `07` or `7.0`; None: another text."""
    whole, _, decimals = text.strip().partition(".")
    digits = whole[1:] if whole[:1] in ("+", "-") else whole
    if decimals.strip("0") or not (digits.isascii() and digits.isdigit()) or len(digits) > 18:
        return None
    return int(whole)


def unique(pairs: Iterable[tuple[Key, Value]]) -> dict[Key, Value]:
    """Return a mapping of the keys that occur once."""
    found: dict[Key, Value] = {}
    repeated = set()
    for key, value in pairs:
        if key in found:
            repeated.add(key)
        found[key] = value
    for key in repeated:
        del found[key]
    return found
