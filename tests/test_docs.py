"""README and docs: links hold, pages are reachable from README, and words follow the project's list."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
WRITTEN = [page for page in PAGES if page.name != "CHANGELOG.md"]  # its entries are of their time
LINK = re.compile(r"\]\(([^)\s]+)\)")
WORDS = [
    line
    for line in (ROOT / "tests" / "words.txt").read_text().splitlines()
    if line and not line.startswith("#")
]
UNWANTED = re.compile(rf"\b({'|'.join(WORDS)})", re.I)


def links(page: Path) -> list[tuple[Path, str]]:
    """(file, heading) of every link of a page to a file of the project."""
    found = []
    for target in LINK.findall(page.read_text()):
        if "://" not in target:
            path, _, heading = target.partition("#")
            found.append(((page.parent / path).resolve() if path else page, heading))
    return found


def anchor(heading: str) -> str:
    """The anchor that forges make of a heading."""
    text = re.sub(r"[^\w\- ]", "", heading.strip().lower())
    return text.replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_of_a_page_leads_somewhere(page):
    for target, heading in links(page):
        assert target.exists(), target
        if heading and target.suffix == ".md":
            headings = re.findall(r"^#+ (.+)$", target.read_text(), re.M)
            assert heading in {anchor(each) for each in headings}, f"{target.name}#{heading}"


def test_readme_leads_to_every_page():
    reached, new = set(), {ROOT / "README.md"}
    while new:
        reached |= new
        linked = {target for page in new for target, _ in links(page)}
        new = {page for page in linked if page.suffix == ".md" and page.exists()} - reached
    assert set((ROOT / "docs").glob("*.md")) <= reached


def test_the_first_screen_is_short():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150


def test_words_follow_the_list():
    files = [*WRITTEN, *(ROOT / "docs/site").glob("*.py")]
    for package in ("orchestrator", "trainable", "analysis"):
        for kind in ("py", "jinja", "html", "js"):
            files += sorted((ROOT / package).rglob(f"*.{kind}"))
    found = []
    for file in files:
        for number, line in enumerate(file.read_text().splitlines(), 1):
            if UNWANTED.search(line):
                found.append(f"{file.relative_to(ROOT)}:{number}: {line.strip()}")
    assert found == []


LOADED = re.compile(
    r"""<(?:script|img|iframe)[^>]*\bsrc="?(https?:|//)|<link[^>]*stylesheet[^>]*\bhref="?(https?:|//)"""
)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The folder of the built site; a broken link, a page outside the navigation or a name that does not exist ends the build."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", folder]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.mark.slow
def test_the_site_loads_nothing_from_other_hosts(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 60
    assert [page for page in pages if LOADED.search(page.read_text())] == []
    for style in site.rglob("*.css"):
        assert not re.search(r"url\([\"']?(https?:)?//", style.read_text()), style


@pytest.mark.slow
@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("index", "Find the wrong labels of a data set"),
        ("study-file", "co_refine"),
        ("study-file", "grace_period"),
        ("commands", "--retry-failed"),
        ("commands", "--noise-file"),
        ("metrics", "division/auc_net{k}"),
        ("results-folder", "checkpoint.prev.pt"),
        ("api", "load_model"),
        ("api", "as_trainable"),
        ("repository/studies/ablation.yaml", "no_co_divide"),
    ],
)
def test_a_generated_page_holds_what_the_code_says(site, page, text):
    file = site / "index.html" if page == "index" else site / page / "index.html"
    assert text in re.sub(r"<[^>]+>", "", file.read_text())
