"""Links between files of the repository, rewritten for the site."""

import posixpath
import re
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[2]
HOME = "README.md"
TOP_PAGES = (HOME, "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages that are not in docs/."""

SHOWN = "repository"
"""Folder of the pages that show files of the repository."""

LANGUAGES = {".py": "python", ".yaml": "yaml", ".json": "json", ".toml": "toml"}

LINK = re.compile(r"(?<=\]\()([^)\s:#]+)(#[^)\s]*)?(?=\))")
FENCED = re.compile(r"^(`{3,}|~{3,}).*?^\1[ \t]*$", re.M | re.S)


def for_site(markdown: str, uri: str) -> str:
    """Return a page's text with links to the site's pages.

    Args:
        markdown: the text as it is in the repository.
        uri: the page in the site, such as `tutorial.md`.
    """
    if uri.startswith(f"{SHOWN}/"):
        return markdown
    here = posixpath.dirname(_repository_path(uri))

    def rewritten(link: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(here, link[1]))
        site_path = posixpath.relpath(_site_path(target), posixpath.dirname(uri) or ".")
        return site_path + (link[2] or "")

    return _outside_code(markdown, lambda text: LINK.sub(rewritten, text))


def added_pages() -> dict[str, str]:
    """Return the text of each page that is not a file in docs/, by its path in the site."""
    added = {_site_path(name): (ROOT / name).read_text(encoding="utf-8") for name in TOP_PAGES}
    for path in sorted(_linked()):
        file = ROOT / path
        if not file.is_dir():
            added[_site_path(path)] = _shown(file)
            continue
        files = [each for each in sorted(file.iterdir()) if each.is_file()]
        added[_site_path(path)] = _listed(file, files)
        for each in files:
            added[_site_path(_name(each))] = _shown(each)
    return added


def _linked() -> set[str]:
    """Return the files and folders outside docs/ to which pages link, as paths from the root."""
    found = set()
    for page in [*(ROOT / name for name in TOP_PAGES), *(ROOT / "docs").glob("*.md")]:
        for link in LINK.finditer(FENCED.sub("", page.read_text(encoding="utf-8"))):
            target = posixpath.normpath(posixpath.join(_name(page.parent), link[1]))
            if not target.startswith("docs/") and target not in TOP_PAGES:
                found.add(target)
    return found


def _name(file: Path) -> str:
    return file.relative_to(ROOT).as_posix()


def _site_path(path: str) -> str:
    """Return where the site has a file of the repository."""
    if path == HOME:
        return "index.md"
    if path in TOP_PAGES:
        return path
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    return f"{SHOWN}/{path}.md"


def _repository_path(uri: str) -> str:
    """Return the file of the repository that a page of the site is made from."""
    if uri == "index.md":
        return HOME
    return uri if uri in TOP_PAGES else f"docs/{uri}"


def _page(title: str, body: str) -> str:
    """Return a page that the search leaves out."""
    return f"---\nsearch: {{exclude: true}}\nhide: [toc]\n---\n\n# {title}\n\n{body}\n"


def _shown(file: Path) -> str:
    language = LANGUAGES.get(file.suffix, "text")
    text = file.read_text(encoding="utf-8").rstrip("\n")
    return _page(f"`{_name(file)}`", f"`````{language}\n{text}\n`````")


def _listed(folder: Path, files: list[Path]) -> str:
    links = [f"- [{file.name}]({folder.name}/{file.name}.md)" for file in files]
    return _page(f"`{_name(folder)}/`", "\n".join(links))


def _outside_code(markdown: str, change: Callable[[str], str]) -> str:
    """Return the text with everything changed but fenced blocks of code."""
    parts = []
    end = 0
    for block in FENCED.finditer(markdown):
        parts += [change(markdown[end : block.start()]), block[0]]
        end = block.end()
    return "".join([*parts, change(markdown[end:])])
