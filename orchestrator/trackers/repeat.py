"""Export again and again while a study runs, in processes that cannot disturb it."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from shlex import quote

from orchestrator.trackers.target import Target
from trainable.storage import names

EVERY_S = 30.0
"""Seconds between two exports; more if an export takes long."""
SHARE = 10
"""Least length of the pause after an export, in durations of the export."""
LONGEST_S = 300.0
"""An export that takes longer is ended and tried again."""


@contextlib.contextmanager
def tracked(target: Target | None, run_dir: Path, say: Callable[[str], None]) -> Iterator[None]:
    """Export the results of the block: every half a minute, and once it has ended.

    A tracker that does not answer is told once. The results folder has everything, and the next
    export adds what is missing.

    Args:
        target: the tracker; None: nothing is exported.
        run_dir: the results folder.
        say: prints a sentence.
    """
    if target is None:
        yield
        return
    repeated = _Repeated(target, run_dir, say)
    thread = threading.Thread(target=repeated.run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        repeated.ended.set()
        thread.join()
        repeated.last()


class _Repeated:
    """The exports of one run.

    Args:
        target: the tracker.
        run_dir: the results folder.
        say: prints a sentence.
    """

    def __init__(self, target: Target, run_dir: Path, say: Callable[[str], None]):
        self.ended = threading.Event()
        self._target = target
        self._run_dir = run_dir
        self._say = say
        self._told = False

    def run(self) -> None:
        """Export until `ended` is set."""
        pause = EVERY_S
        while not self.ended.wait(pause):
            start = time.monotonic()
            problem = self._export()
            if problem and not self._told:
                self._told = True
                self._say(f"note: {problem} Trials are not affected; the export is tried again.")
            pause = max(EVERY_S, SHARE * (time.monotonic() - start))

    def last(self) -> None:
        """Export what is missing at the end."""
        problem = self._export()
        if problem:
            self._say(
                f"note: {problem} Later, type: python -m orchestrator export "
                f"--to {quote(str(self._target))} {quote(str(self._run_dir))}"
            )

    def _export(self) -> str:
        """Export in a process of its own; return what is wrong, or an empty text."""
        if not (self._run_dir / names.PLAN).is_file():
            return ""
        command = [sys.executable, "-m", "orchestrator", "export", "--to", str(self._target)]
        # In a session of its own, so that Ctrl-C does not end it in the middle.
        process = subprocess.Popen(
            [*command, str(self._run_dir)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        )
        try:
            _, errors = process.communicate(timeout=LONGEST_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return f"{self._target}: an export took more than {LONGEST_S:g} s."
        if process.returncode == 0:
            return ""
        lines = errors.strip().splitlines() or [f"the export ended with {process.returncode}"]
        return f"{lines[-1].rstrip('.')}."
