"""The page in a real browser: nothing is cut off, all images show, nothing is loaded besides it."""

import html
import json
import re
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from analysis.report.write import write_report
from tests.analysis.material import FINGERPRINT, METRICS, sample_table
from trainable.storage.checksums import read_signed, signed, text_checksum

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None, reason="needs chromium, chromium-browser or google-chrome on PATH"
    ),
]

DESKTOP, PHONE = 1280, 390
# A headless window cannot be as narrow as a phone, so each width is an iframe's, measured once everything has loaded.
HARNESS = """<!doctype html><html><head><link rel="icon" href="data:,"><title>nothing measured</title></head><body>
<iframe src="/index.html" width="1280" height="900" style="border:0"></iframe>
<iframe src="/index.html" width="390" height="800" style="border:0"></iframe>
<script>
addEventListener("load", () => {
  document.title = JSON.stringify([...document.querySelectorAll("iframe")].map((frame) => {
    const page = frame.contentDocument;
    return {
      width: page.documentElement.clientWidth,
      needed: page.documentElement.scrollWidth,
      images: [...page.images].map((image) => image.complete && image.naturalWidth),
      shown: [...page.images].map((image) => image.getBoundingClientRect().width),
      heading: page.querySelector("h1")?.textContent,
    };
  }));
});
</script></body></html>"""


@contextmanager
def serving(content: bytes) -> Iterator[tuple[str, list[str]]]:
    """Serve `content` as /index.html, and the harness; its address, and the paths that were asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = {"/index.html": content, "/harness": HARNESS.encode()}.get(self.path)
            self.send_response(404 if body is None else 200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/harness", asked
        finally:
            server.shutdown()
            thread.join()


def measure(content: bytes, profile: Path) -> tuple[list[dict], list[str], list[str]]:
    """What the harness measured at each width, the browser's console, and the paths that it asked for."""
    assert CHROMIUM is not None
    with serving(content) as (address, asked):
        flags = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-background-networking",
            "--no-first-run",
        ]
        flags += [
            f"--user-data-dir={profile}",
            "--enable-logging=stderr",
            "--v=0",
            "--window-size=1400,1900",
        ]
        flags += ["--virtual-time-budget=20000", "--dump-dom"]
        done = subprocess.run(
            [CHROMIUM, *flags, address], capture_output=True, text=True, timeout=120
        )
    title = re.search(r"<title>(.*?)</title>", done.stdout, re.DOTALL)
    assert title, done.stderr
    assert title[1] != "nothing measured", done.stderr
    return (
        json.loads(html.unescape(title[1])),
        [line for line in done.stderr.splitlines() if "CONSOLE" in line],
        asked,
    )


@pytest.fixture
def realistic(study):
    """Two settings, several families, long names, failures, collapse, other data, foreign files."""
    rng = np.random.default_rng(0)
    values = dict(zip(METRICS, rng.random(len(METRICS)).tolist(), strict=True))
    study.factors = ["method.lambda_u", "method.p_threshold"]
    arms = {
        "no_co_refine": "arms",
        "a_named_arm_with_a_very_long_name_that_goes_on_and_on_until_nobody_reads_it": "arms",
    }
    arms |= {
        "lambda_u=0": "method.lambda_u",
        "lambda_u=75": "method.lambda_u",
        "p_threshold=0.7": "method.p_threshold",
    }
    for setting, base in (("sym20", 90.0), ("sym80_with_a_long_name_of_its_own", 70.0)):
        common = {
            "setting": setting,
            "metrics": values,
            "samples": sample_table(300, 30, 10),
            "fingerprint": FINGERPRINT,
        }
        common |= {"config": {"method": {"lambda_u": 25, "p_threshold": 0.5}}}
        work = {
            seed: {"time/epoch_s": 12.5, "time/train_s": 9.0, "work/forwards": 3e6}
            for seed in range(4)
        }
        study.arm("baseline", *(base + rng.normal(0, 1, 3)).tolist(), 12.0, change=work, **common)
        for name, family in arms.items():
            path, _, value = name.partition("=")
            config = {
                "method": {"lambda_u": 25, "p_threshold": 0.5}
                | ({path: float(value)} if value else {})
            }
            ends = (base - len(name) % 5 + rng.normal(0, 1, 3)).tolist()
            study.arm(
                name, *ends, "failed", family=family, change=work, **{**common, "config": config}
            )
        study.arm("other_noise", base, "missing", paired=False, **common)
    root = study.write()
    (root / "study.yaml").write_text("name: small\nbase: {" + "a_long_line: 1, " * 60 + "}\n")
    run = {
        "time": "2026-01-02T03:04:05+0000",
        "host": "a-host",
        "command": ["__main__.py", "run", "--results", "x" * 150],
    }
    run |= {"system": "Linux", "cpus": 2, "python": "3.11.7", "versions": {"torch": "2.11.0"}}
    (root / "provenance.json").write_text(
        json.dumps([{**run, "git_revision": "0" * 40, "git_diff": ""}])
    )
    (root / "runs" / ("notes_" + "x" * 120 + ".txt")).write_text("")
    failure = {"kind": "OutOfMemoryError", "message": "y" * 300, "retry": True, "attempts": 3}
    (root / "runs" / "sym20" / "no_co_refine" / "seed=3" / "failure.json").write_text(
        json.dumps(failure)
    )
    return root


def test_the_page_fits_a_desktop_and_a_phone_shows_all_images_and_loads_nothing_else(
    realistic, tmp_path
):
    paths = write_report(realistic)
    measured, console, asked = measure(paths[0].read_bytes(), tmp_path / "profile")
    drawn = ("forest", "factors", "accuracy_against_work")  # by the page itself
    images = sum(
        path.suffix == ".svg" and path.stem not in drawn and not path.stem.endswith("_per_epoch")
        for path in paths
    )
    assert images >= 2
    for width, found in zip((DESKTOP, PHONE), measured, strict=True):
        assert found["heading"] == "small"
        assert 0 < found["width"] <= width
        assert found["needed"] <= width, (
            f"the page is {found['needed']} px wide where {width} are visible"
        )
        assert len(found["images"]) == images
        assert all(found["images"])
        assert all(0 < shown <= width for shown in found["shown"])
    assert console == []
    assert set(asked) == {"/harness", "/index.html"}


def test_the_measurement_sees_what_is_wrong_with_a_page(tmp_path):
    wrong = b"""<!doctype html><h1>wrong</h1><div style="width: 900px">wide</div><img src="data:image/png;base64,AAAA">
    <img src="/missing.png"><script>console.error("wrong")</script>"""
    measured, console, asked = measure(wrong, tmp_path / "profile")
    assert [found["needed"] > found["width"] for found in measured] == [False, True]
    assert [found["images"] for found in measured] == [[0, 0], [0, 0]]
    assert console
    assert "/missing.png" in asked


SCRIPT = "</title><script>top.document.title='owned'</script><img src=/stolen onerror=top.name=1>"


def test_texts_of_strangers_run_no_script_and_load_nothing(study, tmp_path):
    """Whatever a results folder holds as text: names, messages, notes, commands, the study file."""
    study.arm("baseline", 90.0, 91.0, change={0: {"data_notes": [SCRIPT]}})
    study.arm("variant", 80.0, "failed", fingerprint={"device": SCRIPT, "code": SCRIPT})
    root = study.write()
    plan = {**read_signed(root / "trials.json"), "study": SCRIPT}
    plan["study_checksum"] = text_checksum(SCRIPT)
    (root / "trials.json").write_text(json.dumps(signed(plan)))
    (root / "study.yaml").write_text(SCRIPT)
    run = dict.fromkeys(["time", "host", "system", "python", "git_revision"], SCRIPT)
    run |= {"command": [SCRIPT], "cpus": SCRIPT, "versions": {SCRIPT: SCRIPT}}
    (root / "provenance.json").write_text(json.dumps([signed(run)]))
    failure = {"kind": SCRIPT, "message": SCRIPT, "retry": False, "attempts": 1}
    (study.path("variant", 1) / "failure.json").write_text(json.dumps(failure))

    measured, console, asked = measure(write_report(root)[0].read_bytes(), tmp_path / "profile")
    assert [found["heading"] for found in measured] == [SCRIPT, SCRIPT]
    assert console == []
    assert set(asked) == {"/harness", "/index.html"}
