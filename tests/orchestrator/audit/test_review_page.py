"""The review page in a real browser, driven by key presses, with a server that is killed in the middle."""

import csv
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from orchestrator.study.load import load_study
from tests.browser import Browser, browser, needs_browser
from tests.orchestrator.audit.studies import FOLDER, STUDY, finished, trained, write_folder
from tests.trainable.trees import picture, save
from trainable.config.runtime import Machine
from trainable.trial.trial import Trial

pytestmark = [pytest.mark.browser, needs_browser]
PATIENCE_S = 60


class Serving:
    """A server in a process of its own."""

    def __init__(self, root: Path, *options: str):
        command = [sys.executable, "-u", "-m", "orchestrator", "audit", str(root), "--review"]
        self.process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("Review:"), line
        self.address = line.split()[1]

    def end(self, number: int = signal.SIGINT) -> str:
        """End the process; what it printed after its address."""
        self.process.send_signal(number)
        output, _ = self.process.communicate(timeout=PATIENCE_S)
        return output


@contextmanager
def serving(root: Path, *options: str) -> Iterator[Serving]:
    server = Serving(root, *options)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.end(signal.SIGKILL)


def decisions(root: Path) -> list[dict[str, str]]:
    """The lines of the file of decisions."""
    file = root / "audit/decisions.csv"
    if not file.exists():
        return []
    with file.open(newline="") as lines:
        return list(csv.DictReader(lines))


def wait_for_lines(root: Path, count: int) -> list[dict[str, str]]:
    deadline = time.monotonic() + PATIENCE_S
    while len(decisions(root)) < count:
        assert time.monotonic() < deadline, decisions(root)
        time.sleep(0.05)
    return decisions(root)


def shown(page: Browser) -> str:
    """The file name of the image in sight."""
    return page.run("document.getElementById('image').alt").removeprefix("image ")


def decide(page: Browser, root: Path, key: str) -> str:
    """Press a key, wait until the decision is on the disk and the next image in sight; the image."""
    image = shown(page)
    before = len(decisions(root))
    page.press(key)
    wait_for_lines(root, before + 1)
    wait_for_another(page, image)
    return image


def wait_for_another(page: Browser, image: str) -> None:
    """Wait until another image is in sight."""
    deadline = time.monotonic() + PATIENCE_S
    while shown(page) == image:
        assert time.monotonic() < deadline, "the page stays at an image"
        time.sleep(0.02)


def begin(page: Browser, server: Serving, name: str) -> None:
    """Open the page and enter a name."""
    page.open(server.address)
    page.wait_for(["Review of the labels of mine", "given"])
    page.run("document.querySelector('input[name=reviewer]').value = ''")
    page.run("document.querySelector('input[name=reviewer]').focus()")
    page.type(name)
    page.press("Enter")


def test_two_people_review_images_through_a_killed_server_and_train_on_the_result(command):
    write_folder(100)
    root = finished(FOLDER)
    with browser() as page:
        with serving(root) as server:
            begin(page, server, "Ann")
            for key in "kkkxu" * 5:
                decide(page, root, key)
            page.press("c")
            page.type("CRO")
            image = shown(page)
            page.press("Enter")
            last = wait_for_lines(root, 26)[-1]
            assert (last["image"], last["decision"], last["label"]) == (image, "label", "crow")
            wait_for_another(page, image)
            image = decide(page, root, "k")
            page.press("z")
            assert wait_for_lines(root, 28)[-1]["decision"] == "undo"
            page.wait_for([image, "(26 of 300 images reviewed"])
            server.end(signal.SIGKILL)
            page.press("k")
            page.wait_for(["The server has ended"])
            assert len(decisions(root)) == 28
        with serving(root) as server:
            begin(page, server, "Ann")
            page.wait_for(["(26 of 300 images reviewed"])
            assert shown(page) == image, "the review resumes where it was"
            for _ in range(10):
                decide(page, root, "k")
            begin(page, server, "Bo")
            choice = "document.querySelector('select[name=mode]')"
            first = shown(page)
            page.run(f"{choice}.value = 'second'; {choice}.dispatchEvent(new Event('change'))")
            unsure = {line["image"] for line in decisions(root) if line["decision"] == "unsure"}
            wait_for_another(page, first)
            assert {decide(page, root, "x") for _ in range(5)} == unsure
            disputed = decide(page, root, "x")
            assert "At most" in server.end()
            assert server.process.returncode == 0
    said = {line["reviewer"] for line in decisions(root)}
    assert said == {"Ann", "Bo"}
    code, output, error = command("audit", root, "--apply", "new.csv", "--min-confidence", "1")
    assert code == 0, error
    assert "1 images are unsure or disputed" in output, disputed
    noise = "{name: file, path: new.csv}"
    Path("again.yaml").write_text(STUDY.replace("DATA", FOLDER).replace("NOISE", noise))
    trial = Trial(load_study(Path("again.yaml")).trials[0].config, Machine())
    assert next(trial)["epoch"] == 1


def test_a_sample_of_test_images_is_checked_without_any_suspicion():
    write_folder(20)
    shutil.rmtree("images/test")
    root = finished(FOLDER)
    with browser() as page, serving(root, "--split", "test", "--sample", "5") as server:
        page.open(server.address)
        page.wait_for(["Review of the labels of mine, test images", "in random order", "given"])
        assert page.run("document.getElementById('detail').textContent") == shown(page)
        assert page.run("document.querySelectorAll('select[name=mode] option').length") == 2
        page.run("document.querySelector('input[name=reviewer]').focus()")
        page.type("Ann")
        page.press("Enter")
        for number in range(1, 6):
            page.press("k")
            page.wait_for([f"{number} of 5 drawn test images are checked, 0 labels wrong"])
        page.wait_for(["No image is left in this order."])
        assert "5 of 5 drawn test images are checked" in server.end()


def write_captioned(rows: int = 60) -> None:
    """Write features of photographs and of recordings, with their texts."""
    rng = np.random.default_rng(0)
    labels = np.arange(rows) % 3
    names = [f"{row}.{'png' if row % 2 else 'wav'}" for row in range(rows)]
    for name in names[1::2]:
        save(Path(name), picture(0))
    np.savez(
        "captioned.npz",
        features=(np.eye(3, 8)[labels] + rng.normal(size=(rows, 8))).astype(np.float32),
        labels=labels,
        paths=np.array(names),
        text=np.array([f"caption of {name}" for name in names]),
    )


def height(page: Browser, name: str) -> float:
    """The height of an element in sight, pixels; 0: it is hidden."""
    return page.run(f"document.getElementById('{name}').getBoundingClientRect().height")


def test_a_caption_is_below_its_image_and_a_text_without_an_image_is_alone():
    write_captioned()
    data = "{name: embeddings, path: captioned.npz, validation_fraction: 0.1}"
    text = STUDY.replace("{name: small_cnn, width: 4}", "{name: linear}").replace("DATA", data)
    Path("mine.yaml").write_text(text.replace("NOISE", "{name: none}"))
    root = trained(Path("mine.yaml"))
    found = set()
    with browser() as page, serving(root) as server:
        begin(page, server, "Ann")
        for _ in range(8):
            name = shown(page)
            assert page.run("document.getElementById('text').innerText") == f"caption of {name}"
            assert height(page, "text") > 0
            found.add((Path(name).suffix, height(page, "image") > 100))
            decide(page, root, "k")
    assert found == {(".png", True), (".wav", False)}
