"""MkDocs hooks: pages that are made at build time, and links that hold on forges and in the site.

README is the first page. A comment `<!-- generated: NAME -->` in a page is replaced by a part
of the reference that is made from the code, so that no copy of it is kept in git. A link to a file
of the repository that is not in docs/ leads to a page that shows this file.
"""

import re
from collections.abc import Callable

import api_pages
import command_pages
import metric_pages
import repository_links
import study_pages
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

GENERATED: dict[str, Callable[[], str]] = {
    "study file": study_pages.study_file,
    "commands": command_pages.commands,
    "metrics": metric_pages.metrics,
    "files": metric_pages.files,
    "api": api_pages.api,
}
"""Markdown of each part that a page may name."""

COMMENT = re.compile(r"^<!-- generated: (.+) -->$", re.M)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add README and the other pages of the top folder, and a page for each linked file."""
    for uri, content in repository_links.added_pages().items():
        files.append(File.generated(config, uri, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in the generated parts of a page, then lead its links to pages of the site."""
    if page.parent is None:  # a section of its own, without other pages to list at its side
        page.meta.setdefault("hide", []).append("navigation")
    markdown = COMMENT.sub(lambda comment: GENERATED[comment[1]](), markdown)
    return repository_links.for_site(markdown, page.file.src_uri)
