"""Chromium for tests: opens pages, reads their text through shadow roots and frames, takes pictures."""

import asyncio
import base64
import contextlib
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
needs_browser = pytest.mark.skipif(
    CHROMIUM is None, reason="needs chromium, chromium-browser or google-chrome on PATH"
)
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--hide-scrollbars",
)
PATIENCE_S = 90

ALL_TEXT = """(() => {
  const read = (root) => [...root.querySelectorAll("*:not(style, script)")].map((element) =>
    (element.shadowRoot ? read(element.shadowRoot) : "") +
    (element.tagName === "IFRAME" && element.contentDocument?.body ? read(element.contentDocument) : "") +
    (element.tagName === "INPUT" ? element.value : "") +
    [...element.childNodes].filter((node) => node.nodeType === 3).map((node) => node.data).join(" ")).join(" ");
  return read(document);
})()"""


class Browser:
    """One page of a browser, driven over Chrome's DevTools protocol."""

    def __init__(self, port: int):
        self._loop = asyncio.new_event_loop()
        self._loop.run_until_complete(self._connect(port))
        self._number = 0

    async def _connect(self, port: int) -> None:
        self._session = aiohttp.ClientSession()
        async with self._session.get(f"http://127.0.0.1:{port}/json") as answer:
            pages = [target for target in await answer.json() if target["type"] == "page"]
        self._socket = await self._session.ws_connect(
            pages[0]["webSocketDebuggerUrl"], max_msg_size=0
        )

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """One command of the protocol and its result."""
        return self._loop.run_until_complete(self._call(method, parameters))

    async def _call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        self._number += 1
        await self._socket.send_json({"id": self._number, "method": method, "params": parameters})
        while True:
            message = json.loads((await asyncio.wait_for(self._socket.receive(), PATIENCE_S)).data)
            if message.get("id") == self._number:
                assert "error" not in message, message
                return message["result"]

    def open(self, url: str, token: str = "", size: tuple[int, int] = (1280, 800)) -> None:
        """Go to a page, with a token in every request if one is given."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=size[0],
            height=size[1],
            deviceScaleFactor=1,
            mobile=False,
        )
        self.call("Network.enable")
        self.call(
            "Network.setExtraHTTPHeaders",
            headers={"Authorization": f"Bearer {token}"} if token else {},
        )
        self.call(
            "Page.navigate", url="about:blank"
        )  # else a new fragment alone would load nothing
        self.call("Page.navigate", url=url)

    def run(self, script: str) -> Any:
        """The value of a JavaScript expression."""
        return self.call("Runtime.evaluate", expression=script, returnByValue=True)["result"].get(
            "value"
        )

    def press(self, key: str) -> None:
        """Press a key: a character, or a name such as Enter."""
        text = key if len(key) == 1 else ""
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, text=text)

    def type(self, text: str) -> None:
        """Type a text into the field that has the focus."""
        for key in text:
            self.press(key)

    def dark(self) -> None:
        """Prefer dark colours from now on."""
        features = [{"name": "prefers-color-scheme", "value": "dark"}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def wait_for(self, words: Sequence[str]) -> str:
        """Wait until the page's text has all the words; the text."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            text = " ".join((self.run(ALL_TEXT) or "").split())
            if all(word in text for word in words):
                return text
            assert time.monotonic() < deadline, (
                f"not in the page: {[w for w in words if w not in text]}\n{text[:3000]}"
            )
            time.sleep(0.3)

    def picture(self, file: Path) -> None:
        """Write what is in sight as a PNG."""
        file.write_bytes(
            base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        )

    def close(self) -> None:
        """Leave the page."""

        async def _close() -> None:
            await self._socket.close()
            await self._session.close()

        self._loop.run_until_complete(_close())
        self._loop.close()


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium with a profile of its own, ended with everything that it started."""
    assert CHROMIUM is not None
    with tempfile.TemporaryDirectory(prefix="chromium", ignore_cleanup_errors=True) as profile:
        command = [
            CHROMIUM,
            *FLAGS,
            "--remote-debugging-port=0",
            f"--user-data-dir={profile}",
            "about:blank",
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            port_file, deadline = (
                Path(profile) / "DevToolsActivePort",
                time.monotonic() + PATIENCE_S,
            )
            while not (port_file.is_file() and port_file.read_text().count("\n")):
                assert time.monotonic() < deadline, "chromium does not start"
                time.sleep(0.1)
            page = Browser(int(port_file.read_text().split()[0]))
            try:
                yield page
            finally:
                page.close()
        finally:
            process.terminate()
            process.wait(30)
