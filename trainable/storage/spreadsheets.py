"""Text in tables that people open in spreadsheets, which run text that begins like a formula.

As OWASP's page on CSV injection recommends, such text gets a leading apostrophe. The module imports
the standard library only.
"""

from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""First characters of text that spreadsheets may run."""


def escaped(value: Any) -> Any:
    """Return a text that no spreadsheet runs; other values are returned as they are.

    Text that begins with apostrophes and such a character gets one more, so `unescaped` is exact.
    """
    if isinstance(value, str) and value.lstrip("'").startswith(FORMULA):
        return f"'{value}"
    return value


def unescaped(text: str) -> str:
    """Return the text that `escaped` was given."""
    if text.startswith("'") and text.lstrip("'").startswith(FORMULA):
        return text[1:]
    return text
