"""Begin or resume the review of an arm's labels, and what its decisions certify and correct."""

import signal
import threading
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from analysis.audit.audit import Audited, NoAudit, audit
from analysis.audit.decisions import Decision, Settled, read, settle
from analysis.audit.review import Review
from analysis.audit.review_order import ReviewOrder, order_of, read_order, write_order
from orchestrator.audit.labels import Data, features_of, read_data
from orchestrator.audit.review_server import ReviewDesk, ReviewServer
from orchestrator.exit_codes import WRONG, Ended
from trainable.config.runtime import Machine
from trainable.storage.names import AUDIT

DECISIONS = "decisions.csv"
ORDER = "review{suffix}.csv"


@dataclass(frozen=True)
class OpenReview:
    """The labels under review, their data, the order of the images and the file of decisions."""

    audited: Audited
    data: Data
    order: ReviewOrder
    file: Path

    def desk(self) -> ReviewDesk:
        """Return what answers the page."""
        return ReviewDesk(self.audited, self.data, self.order, self.file)

    def sentence(self) -> str:
        """Say what the decisions show so far, and what the next step takes. Raises BadDecisions."""
        said = settled(self.audited, self.data, self.file)
        review = Review(self.order, self.data.given(self.audited), said)
        return " ".join(filter(None, (review.certificate().sentence(), review.plan())))


def open_review(
    root: Path, setting: str | None, arm: str, seed: int | None, machine: Machine
) -> OpenReview:
    """Audit an arm and fix the order of its review; an order that is there is kept.

    Raises:
        DataError: the data set is missing or invalid.
        NoStudy, NoTrial, NoAudit: there is nothing to review; the message has the reason.
    """
    audited, data = only_audit(root, setting, arm, seed, machine)
    place = root / AUDIT / (audited.trial["setting"] or "") / arm
    suffix = "" if seed is None else f"_seed={seed}"
    path = place / ORDER.format(suffix=suffix)
    if path.exists():
        order = read_order(path, audited)
    else:
        order = order_of(audited)
        place.mkdir(parents=True, exist_ok=True)
        write_order(order, path)
    return OpenReview(audited, data, order, decisions_file(root))


def only_audit(
    root: Path, setting: str | None, arm: str, seed: int | None, machine: Machine
) -> tuple[Audited, Data]:
    """Audit the only set of given labels of an arm; return it with its data.

    Raises:
        DataError: the data set is missing or invalid.
        NoStudy, NoTrial, NoAudit: there is nothing to audit, or each seed has its own labels.
    """
    found = audit(root, setting, arm, seed, features_of(root, machine))
    if len(found) > 1:
        raise NoAudit("noise was injected, so each seed has its own labels; choose one with --seed")
    return found[0], read_data(root, found[0], machine)


def decisions_file(root: Path) -> Path:
    """Return where a study's decisions are; they are about its images, whatever the arm."""
    return root / AUDIT / DECISIONS


def settled(audited: Audited, data: Data, file: Path) -> dict[int, Settled]:
    """Return what reviewers said of each image; empty without a file. Raises BadDecisions."""
    labels = data.labels(audited.given.index)
    decisions: list[Decision] = []
    if file.exists():
        decisions = read(file, labels)
    return settle(decisions, labels)


def serve(review: OpenReview, port: int, console: Console) -> None:
    """Serve the page until Ctrl-C.

    Raises:
        BadDecisions: the file of decisions has faults.
        Ended: the port is taken.
    """
    review.sentence()
    try:
        server = ReviewServer(review.desk(), port)
    except OSError as error:
        raise Ended(f"--port {port}: {error.strerror}; 0 takes a free one", WRONG) from None
    with server:
        console.print(f"Review:    {server.address}")
        console.print(f"Decisions: {review.file} (Ctrl-C ends the page)")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        wait_for_the_end()
        server.shutdown()
        thread.join()
    console.print(review.sentence())


def wait_for_the_end() -> None:
    """Wait for Ctrl-C or a termination signal."""
    ended = threading.Event()
    handled = (signal.SIGINT, signal.SIGTERM)
    before = {
        number: signal.signal(number, lambda number, frame: ended.set()) for number in handled
    }
    ended.wait()
    for number, handler in before.items():
        signal.signal(number, handler)
