"""The review page: a server on this machine that shows images, and appends what reviewers decide.

It listens on 127.0.0.1 and answers only requests that have the token of the printed address. Each
decision is on the disk before it is confirmed. Several reviewers may use one page, and several
servers one file of decisions.
"""

import hmac
import json
import secrets
import threading
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, cast, get_args
from urllib.parse import parse_qs, urlsplit

from analysis.audit.audit import Audited
from analysis.audit.decisions import (
    BadDecisions,
    Decision,
    DecisionFile,
    Kind,
    Settled,
    append,
    majority,
    undone,
)
from analysis.audit.review import Mode, Review
from analysis.audit.review_order import ReviewOrder
from orchestrator.audit.labels import Data
from orchestrator.audit.pictures import has_image, picture, text_of
from trainable.errors import DataError

PAGE = Path(__file__).with_name("review.html")
AHEAD = 6
"""Number of images that the page fetches at once."""
EXAMPLES = 6
"""Number of images of a class that are shown for comparison."""
LONGEST_REQUEST = 10_000
"""Bytes."""


class ReviewDesk:
    """Decisions of a review, and answers to the page's questions. Calls are thread-safe."""

    def __init__(self, audited: Audited, data: Data, order: ReviewOrder, file: Path):
        self.data = data
        self._order = order
        self._file = file
        self._given = data.given(audited)
        self._probable = audited.judgement.counts
        self._position = {row: place for place, row in enumerate(order.rows.tolist())}
        self._lock = threading.Lock()
        self._labels = data.labels(audited.given.index)
        self._begin()

    def _begin(self) -> None:
        """Begin without a decision."""
        self._decisions = DecisionFile(self._file, self._labels)
        self._state = Review(self._order, self._given, {})

    @property
    def _names(self) -> Sequence[str]:
        return self._labels.classes

    def _review(self) -> Review:
        """Return the review with all decisions that are in the file now. Raises BadDecisions."""
        if not self._file.exists():
            if self._decisions.decisions():
                self._begin()
            return self._state
        try:
            images = self._decisions.refresh()
        except BadDecisions:
            self._begin()
            raise
        changes: dict[int, Settled | None] = {}
        for image in images:
            said = self._decisions.about(image).values()
            changes[self._labels.rows[image]] = majority(said, self._labels) if said else None
        self._state.update(changes)
        return self._state

    def start(self) -> dict[str, Any]:
        """Return what the page needs once."""
        return {"title": self._file.parents[1].name, "classes": self._names}

    def state(self) -> dict[str, Any]:
        """Return the progress."""
        with self._lock:
            certificate = self._review().certificate()
        return {
            "looks": certificate.looks,
            "images": certificate.images,
            "wrong": certificate.wrong,
            "certificate": certificate.sentence(),
        }

    def plan(self) -> str:
        """Say how many more looks the certificate's next step takes."""
        with self._lock:
            return self._review().plan()

    def next_images(self, mode: str, shown: set[int], reviewer: str) -> list[dict[str, Any]]:
        """Return the images to show next."""
        if mode not in get_args(Mode):
            raise BadRequest(f"there is no order {mode}")
        with self._lock:
            rows = self._review().next_rows(AHEAD, cast(Mode, mode), shown, reviewer)
        return [self._card(row) for row in rows]

    def _card(self, row: int) -> dict[str, Any]:
        place = self._position[row]
        wrong = float(self._order.wrong[place])
        return {
            "row": row,
            "image": self.data.image(row),
            "given": self._given[row],
            "suggested": int(self._order.suggested[place]),
            "wrong": wrong if self._probable else None,
            "text": text_of(self.data.samples, row),
            "pictured": has_image(self.data.samples, row),
        }

    def decide(self, reviewer: str, row: int, decision: str, label: int | None) -> None:
        """Append a decision. Raises BadRequest."""
        if row not in self._position:
            raise BadRequest(f"there is no image {row}")
        name = ""
        if decision == "label":
            if label is None or not 0 <= label < len(self._names):
                raise BadRequest(f"there is no class {label}")
            name = self._names[label]
        elif decision not in ("unusable", "unsure"):
            raise BadRequest(f"{decision} is no decision")
        image = self.data.image(row)
        kind = cast(Kind, decision)
        new = Decision(_now(), reviewer, self._labels.data, image, kind, name)
        with self._lock:
            self._review()
            earlier = self._decisions.about(image).get(reviewer)
            if earlier is not None:
                if (earlier.decision, earlier.label) == (new.decision, new.label):
                    return
                append(self._file, undone(earlier, _now()))
            append(self._file, new)

    def undo(self, reviewer: str, row: int) -> dict[str, Any]:
        """Take a reviewer's decision about an image back; return the image."""
        if row not in self._position:
            raise BadRequest(f"there is no image {row}")
        with self._lock:
            self._review()
            earlier = self._decisions.about(self.data.image(row)).get(reviewer)
            if earlier is not None:
                append(self._file, undone(earlier, _now()))
        return self._card(row)

    def examples(self, number: int) -> list[int]:
        """Return images that the audit, or a reviewer, is most sure to be of a class."""
        if not 0 <= number < len(self._names):
            raise BadRequest(f"there is no class {number}")
        surest_first = reversed(self._position)
        found = (row for row in surest_first if self._given[row] == number)
        return [row for row, _ in zip(found, range(EXAMPLES), strict=False)]

    def image(self, row: int) -> tuple[str, bytes]:
        """Return the type and the content of an image, as its owner has it.

        Raises:
            BadRequest, DataError: there is no such image, or it cannot be read.
        """
        if row not in self._position:
            raise BadRequest(f"there is no image {row}")
        return picture(self.data.samples, row)


class BadRequest(Exception):
    """The page asked for what there is not; the message says what."""


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class ReviewServer(ThreadingHTTPServer):
    """Serves the page of one review on this machine; `port` 0 takes a free one."""

    daemon_threads = True

    def __init__(self, desk: ReviewDesk, port: int):
        self.desk = desk
        self.token = secrets.token_urlsafe(16)
        super().__init__(("127.0.0.1", port), _Handler)

    @property
    def address(self) -> str:
        """Address of the page, with the token."""
        return f"http://127.0.0.1:{self.server_port}/?token={self.token}"


class _Handler(BaseHTTPRequestHandler):
    """Answers one request."""

    server: ReviewServer
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer({})

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        if length > LONGEST_REQUEST:
            self.rfile.read(min(length, 100 * LONGEST_REQUEST))
            self.close_connection = True
            self._send(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "text/plain", b"too long")
            return
        try:
            body = json.loads(self.rfile.read(length))
        except ValueError:
            body = None
        if not isinstance(body, dict):
            self._send(HTTPStatus.BAD_REQUEST, "text/plain", b"not a JSON object")
            return
        self._answer(body)

    def _answer(self, body: Mapping[str, Any]) -> None:
        url = urlsplit(self.path)
        query = {name: values[-1] for name, values in parse_qs(url.query).items()}
        token = self.headers.get("X-Token") or query.get("token", "")
        local = self.headers.get("Host", "").partition(":")[0] in ("127.0.0.1", "localhost")
        if not local or not hmac.compare_digest(token.encode(), self.server.token.encode()):
            text = b"This page needs the whole address that `audit --review` printed."
            self._send(HTTPStatus.FORBIDDEN, "text/plain", text)
            return
        try:
            if self.command == "POST":
                self._json(self._change(url.path, body))
            elif url.path == "/":
                self._send_page()
            elif url.path.startswith("/image/"):
                self._send(HTTPStatus.OK, *self.server.desk.image(_number(url.path[7:])))
            else:
                self._json(self._question(url.path, query))
        except BadRequest as error:
            self._send(HTTPStatus.BAD_REQUEST, "text/plain", str(error).encode())
        except (BadDecisions, DataError, OSError) as error:
            self._send(HTTPStatus.INTERNAL_SERVER_ERROR, "text/plain", str(error).encode())

    def _question(self, path: str, query: Mapping[str, str]) -> Any:
        desk = self.server.desk
        match path:
            case "/start":
                return desk.start()
            case "/state":
                return desk.state()
            case "/plan":
                return desk.plan()
            case "/next":
                shown = {_number(row) for row in query.get("shown", "").split(",") if row}
                return desk.next_images(query.get("mode", ""), shown, query.get("reviewer", ""))
            case "/examples":
                return desk.examples(_number(query.get("class", "")))
        raise BadRequest(f"there is no {path}")

    def _change(self, path: str, body: Mapping[str, Any]) -> Any:
        desk = self.server.desk
        reviewer = body.get("reviewer")
        row = body.get("row")
        if not isinstance(reviewer, str) or not reviewer.strip() or not isinstance(row, int):
            raise BadRequest("a decision needs a reviewer and an image")
        match path:
            case "/decide":
                label = body.get("label")
                number = label if isinstance(label, int) else None
                desk.decide(reviewer.strip(), row, str(body.get("decision")), number)
                return desk.state()
            case "/undo":
                card = desk.undo(reviewer.strip(), row)
                return {**desk.state(), "card": card}
        raise BadRequest(f"there is no {path}")

    def _json(self, content: Any) -> None:
        self._send(HTTPStatus.OK, "application/json", json.dumps(content).encode())

    def _send_page(self) -> None:
        """Send the page; only its own script may run, which carries a number used once."""
        nonce = secrets.token_urlsafe(16)
        page = PAGE.read_text(encoding="utf-8").replace("NONCE", nonce)
        self._send(HTTPStatus.OK, "text/html; charset=utf-8", page.encode(), f"'nonce-{nonce}'")

    def _send(self, status: HTTPStatus, kind: str, content: bytes, scripts: str = "'none'") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("X-Content-Type-Options", "nosniff")
        self.send_header("Referrer-Policy", "no-referrer")
        self.send_header("Cache-Control", "no-store")
        self.send_header(
            "Content-Security-Policy",
            "default-src 'none'; img-src 'self' data:; connect-src 'self'; "
            f"script-src {scripts}; style-src 'unsafe-inline'",
        )
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Print no line for each request."""


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise BadRequest(f"{text} is not a number") from None
