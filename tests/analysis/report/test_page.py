"""The page: its order, its links, its security policy, and what it is for readers without sight."""

import re
from pathlib import Path

import pytest

from analysis.report.page import FOLDER, digest
from analysis.report.write import write_report
from tests.browser import browser, needs_browser


@pytest.fixture
def written(study):
    study.arm("baseline", *[70.0, 71.0] * 4).arm("variant", *[60.0, 62.0] * 4)
    return write_report(study.write())[0]


def test_the_answer_is_before_all_else_and_everything_is_in_the_contents(written):
    text = written.read_text(encoding="utf-8")
    assert text.index('class="answer"') < text.index("<dt>Asked") < text.index("<nav")
    listed = re.findall(r'<li><a href="#(\w+)"', text)
    assert listed == re.findall(r'<h2 id="(\w+)"', text)
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(set(ids)) == len(ids)


def test_only_the_pages_own_style_and_script_are_allowed(written):
    text = written.read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy is not None
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert f"{tag}-src '{digest(content)}'" in policy[1].replace("&#39;", "'")
    assert "default-src 'none'" in policy[1]
    assert not re.search(r'\sstyle="|\son\w+="|https?://(?!www.w3.org)', text)


def test_tables_have_captions_and_scopes_and_scroll_with_the_keyboard(written):
    text = written.read_text(encoding="utf-8")
    tables = re.findall(r"<table.*?</table>", text, re.DOTALL)
    assert len(tables) == 5
    for table in tables:
        assert "<caption>" in table
        body = table.partition("<tbody>")[2]
        assert body.count('scope="row"') == body.count("<tr")
    assert text.count('<div class="scroll" tabindex="0" role="region"') == 4


def test_links_lead_to_files_of_the_report(written):
    text = written.read_text(encoding="utf-8")
    links = [link for link in re.findall(r'href="([^"]+)"', text) if link[0] not in "#d"]
    assert {"report.md", "tables/arms.csv", "figures/accuracy_per_epoch.png"} <= set(links)
    assert all((written.parent / link).is_file() for link in links)
    assert f"python -m orchestrator tensorboard {written.parent.parent}" in text


def test_every_class_of_the_script_and_the_drawings_is_in_the_style_sheet():
    style = (FOLDER / "page.css").read_text(encoding="utf-8")
    for name in ("off", "hover", "mark", "band", "interval", "arrow", "margin", "zero", "seed"):
        assert f".{name}" in style
    assert "prefers-color-scheme: dark" in style


@pytest.mark.slow
@pytest.mark.browser
@needs_browser
def test_a_box_of_the_legend_hides_its_arm_and_the_page_fits_a_telephone(written: Path):
    with browser() as view:
        view.open(written.as_uri(), size=(400, 800))
        view.wait_for(["Files and tools"])
        assert view.run("document.documentElement.scrollWidth") <= 400
        hidden = "document.querySelectorAll('.panels .arm.off').length"
        assert view.run("document.querySelector('.legend input').hidden") is False
        assert view.run(hidden) == 0
        view.run("document.querySelectorAll('.legend input')[1].click()")
        assert view.run(hidden) == 1
        view.run("document.querySelectorAll('.legend input')[1].click()")
        assert view.run(hidden) == 0
