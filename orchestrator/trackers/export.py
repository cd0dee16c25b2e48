"""One export of a results folder to a tracker."""

import contextlib
import fcntl
import time
from collections.abc import Iterator
from pathlib import Path

from orchestrator.trackers.content import read_content
from orchestrator.trackers.outcome import TrackerDown
from orchestrator.trackers.target import Target

LOCK = ".export.lock"
"""In a results folder: held by the process that exports it. Two at once could create runs twice."""
WAIT_S = 60.0
"""An export waits so long for another one, which a shard may have begun."""


def export(run_dir: Path, target: Target) -> str:
    """Bring a tracker up to date with a results folder, and return a sentence about it.

    It may be repeated at any time: what the tracker has is neither changed nor doubled.

    Raises:
        NoStudy: there are no results.
        TrackerDown: the tracker cannot be reached, or another process exports this folder.
    """
    with _alone(run_dir):
        content = read_content(run_dir)
        changes = target.export(content)
    return (
        f"{target}: {content.runs} runs of {len(content.arms)} arms, "
        f"{changes.new} of them new, {changes.changed} extended"
    )


@contextlib.contextmanager
def _alone(run_dir: Path) -> Iterator[None]:
    """Exclude other exports of the folder; the system frees the lock if its holder dies."""
    deadline = time.monotonic() + WAIT_S
    with (run_dir / LOCK).open("a") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise TrackerDown(f"another process exports {run_dir}") from None
                time.sleep(0.2)
        yield
