"""Index of a study's audits: one page with links to their contact sheets."""

from pathlib import Path
from urllib.parse import quote

import jinja2

from analysis.audit.written_audits import written_audits
from trainable.storage.names import AUDIT, REPORT_PAGE

INDEX = REPORT_PAGE
"""Name of the page in the folder of audits."""


def write_index(root: Path) -> Path:
    """Write the index of all audits of the study in `root` that were written so far.

    Returns:
        The page, `RUN_DIR/audit/index.html`.
    """
    audits, problems = written_audits(root)
    source = Path(__file__).with_name("index.html.jinja").read_text(encoding="utf-8")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.filters["address"] = quote
    page = root / AUDIT / INDEX
    text = environment.from_string(source).render(
        study=root.resolve().name, audits=audits, problems=problems
    )
    page.write_text(text, encoding="utf-8")
    return page
