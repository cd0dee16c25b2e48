"""The contact sheet: what it holds, and how it works in a browser, wide and narrow."""

import base64
import html
import io
import json
import re
import subprocess

import pandas as pd
import pytest
from PIL import Image

from analysis.audit.contact_sheet import Card, Section, page
from tests.analysis.conftest import Page
from tests.analysis.test_browser import CHROMIUM, DESKTOP, PHONE


def image(side: int) -> str:
    buffer = io.BytesIO()
    Image.new("L", (side, side), 200).save(buffer, "PNG")
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()


def sheet(count: int = 40, known: bool = True) -> str:
    names = ["0", "2", "10", "a class with a rather long name"]
    cards = [
        Card(
            image(8),
            f"train/owl/{k:05}.jpg",
            names[k % 4],
            names[(k + 1) % 4],
            0.99,
            0.5,
            "2" if known else None,
        )
        for k in range(count)
    ]
    wide = pd.DataFrame(
        [[f"{k / 100:.3f}" for k in range(30)]], columns=[f"class {k}" for k in range(30)]
    )
    return page(
        "mine: baseline",
        ["About 40 of 100 labels are wrong."],
        cards,
        [Section("A table", wide, "A note.")],
    )


def test_the_sheet_holds_every_card_and_needs_no_other_file():
    found = Page(sheet(3))
    assert found.headings == ["mine: baseline", "A table"]
    assert found.tags.count("figure") == 3
    assert all(address.startswith("data:") for address in found.addresses)
    assert "truth 2" in found.visible
    assert "truth 2" not in Page(sheet(3, known=False)).visible


def test_classes_are_offered_in_order_and_escaped():
    text = page(
        "t", [], [Card("data:,", "k", name, "<b>", 0.9, 0.8) for name in ("10", "9", "b", "a")], []
    )
    given, suggested = re.findall(r"<select.*?</select>", text)
    assert re.findall(r"<option>(.*?)</option>", given) == ["9", "10", "a", "b"]
    assert re.findall(r"<option>(.*?)</option>", suggested) == ["&lt;b&gt;"]


# The page is shown wide, narrow, and narrow with the filters used; each frame is measured once all have loaded.
HARNESS = """<!doctype html><html><head><title>nothing measured</title></head><body>
FRAMES
<script>
const use = (form, name, value) => {
  form[name].value = value;
  form[name].dispatchEvent(new Event("change", {bubbles: true}));
};
addEventListener("load", () => {
  document.title = JSON.stringify([...document.querySelectorAll("iframe")].map((frame, k) => {
    const page = frame.contentDocument, form = page.querySelector("form");
    if (k > 1) use(form, "given", "2");
    if (k > 2) use(form, "suggested", "2");
    const shown = [...page.querySelectorAll("figure")].filter((card) => card.getBoundingClientRect().height > 0);
    return {
      width: page.documentElement.clientWidth,
      needed: page.documentElement.scrollWidth,
      given: [...new Set(shown.map((card) => card.dataset.given))],
      shown: shown.length,
      said: form.querySelector("output").value,
      broken: [...page.images].filter((image) => image.complete && !image.naturalWidth).length,
      columns: new Set(shown.map((card) => card.getBoundingClientRect().left)).size,
    };
  }));
});
</script></body></html>"""


@pytest.mark.browser
@pytest.mark.skipif(
    CHROMIUM is None, reason="needs chromium, chromium-browser or google-chrome on PATH"
)
def test_the_sheet_fits_a_desktop_and_a_phone_and_its_filters_work(tmp_path):
    content = html.escape(sheet())
    frames = "\n".join(
        f'<iframe srcdoc="{content}" width="{width}" height="900" style="border:0"></iframe>'
        for width in (DESKTOP, PHONE, PHONE, PHONE)
    )
    harness = tmp_path / "harness.html"
    harness.write_text(HARNESS.replace("FRAMES", frames), encoding="utf-8")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--no-first-run",
    ]
    flags += [
        f"--user-data-dir={tmp_path / 'profile'}",
        "--enable-logging=stderr",
        "--v=0",
        "--window-size=1400,3800",
    ]
    flags += ["--virtual-time-budget=20000", "--dump-dom"]
    done = subprocess.run(
        [CHROMIUM, *flags, harness.as_uri()], capture_output=True, text=True, timeout=120
    )
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title, done.stderr
    wide, narrow, given, both = json.loads(html.unescape(title[1]))
    for found, width in ((wide, DESKTOP), (narrow, PHONE), (given, PHONE), (both, PHONE)):
        assert 0 < found["width"] <= width
        assert found["needed"] <= width
        assert found["broken"] == 0
    assert (wide["shown"], narrow["shown"]) == (40, 40)
    assert wide["columns"] >= 8
    assert 2 <= narrow["columns"] <= 4
    assert (given["shown"], given["given"], given["said"]) == (10, ["2"], "10 images")
    assert (both["shown"], both["said"]) == (0, "0 images")
    assert [line for line in done.stderr.splitlines() if "CONSOLE" in line] == []
