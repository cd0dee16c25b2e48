"""A reviewer who decides about labels as the review page does: over HTTP, with the printed address."""

import json
import signal
import subprocess
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlencode, urlsplit

PATIENCE_S = 120


class Page:
    """The requests of an open page to its server."""

    def __init__(self, address: str):
        parts = urlsplit(address)
        self._root = f"http://{parts.netloc}"
        self._token = parts.query.removeprefix("token=")

    def ask(self, path: str, body: dict | None = None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._root + path, data, {"X-Token": self._token})
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            return json.loads(answer.read())


def review(
    command: Sequence[str],
    folder: Path,
    environment: dict[str, str],
    class_of: Callable[[str], str],
    at_most: int,
) -> str:
    """Open a review page, decide about its first images, end it by Ctrl-C.

    Args:
        command: opens the page.
        folder: where the command is called.
        environment: with which it is called.
        class_of: true class of an image, by its name.
        at_most: number of decisions.

    Returns:
        What the command printed.
    """
    with subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            first = process.stdout.readline()
            assert first.startswith("Review:"), first
            _decide(Page(first.split()[1]), class_of, at_most)
        finally:
            process.send_signal(signal.SIGINT)
        rest = process.stdout.read()
    assert process.returncode == 0
    return first + rest


def _decide(page: Page, class_of: Callable[[str], str], at_most: int) -> None:
    classes = page.ask("/start")["classes"]
    for _ in range(at_most):
        query = urlencode({"mode": "suspicious", "reviewer": "Ann", "shown": ""})
        cards = page.ask(f"/next?{query}")
        if not cards:
            return
        label = classes.index(class_of(cards[0]["image"]))
        body = {"reviewer": "Ann", "row": cards[0]["row"], "decision": "label", "label": label}
        page.ask("/decide", body)
