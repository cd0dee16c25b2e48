"""Reference of metrics and files, from trainable/storage/names.py."""

import ast
import inspect
import re

from markdown_tables import code, table

from trainable.storage import names


def metrics() -> str:
    """Return a table of the metrics, and one of the other fields."""
    return "\n\n".join(
        [
            "## Metrics",
            _named("metric", names.METRICS),
            "## Other fields",
            _named("field", names.FIELDS),
        ]
    )


def _named(kind: str, meanings: dict[str, str]) -> str:
    rows = [[code(name), meaning] for name, meaning in meanings.items()]
    return table([kind, "meaning"], rows)


def files() -> str:
    """Return a table of the names of each kind of folder, with the comments of the source."""
    source = inspect.getsource(names)
    sections = re.findall(r"^# --- (the folder of a .+?) ---$(.*?)(?=^# ---)", source, re.M | re.S)
    found = []
    for title, lines in sections:
        rows = [
            [code(ast.literal_eval(value)), _readable(meaning)]
            for value, meaning in re.findall(
                r"^[A-Z_]+ = \(?\s*(\"[^\"]+\")\s+# (.+)$", lines, re.M
            )
        ]
        found += [f"## {title[0].upper()}{title[1:]}", table(["name", "holds"], rows)]
    return "\n\n".join(found)


def _readable(comment: str) -> str:
    """Return a comment for readers who do not see the names of constants."""
    return comment.replace("in REPORT:", "in `report/`:").replace("<", "&lt;")
