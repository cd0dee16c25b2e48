"""How a run ends before its trials do: signals, and trials that report nothing any more."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

from orchestrator.display.live import View
from orchestrator.display.status import loud

STALLED = 1
"""Exit code of a run in which nothing happened any more."""


@dataclass
class Stop:
    """Why a run ended before its trials did."""

    signal: int | None = None
    no_space: str | None = None


@contextmanager
def interruptible(stop: Stop) -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into Tune's graceful stop, the second into an immediate one.

    Must be entered after `ray.init`: before it, Ray's own SIGTERM handler aborts the process.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.signal is not None:
            os._exit(128 + number)  # Ray's processes follow their driver within seconds
        stop.signal = number
        stop_gracefully()

    def too_early(number: int, frame: FrameType | None) -> None:
        # Tune has not yet put its own handler there.
        raise SystemExit(128 + (stop.signal or signal.SIGINT))

    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, on_signal),
        signal.SIGTERM: signal.signal(signal.SIGTERM, on_signal),
        signal.SIGUSR1: signal.signal(signal.SIGUSR1, too_early),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_gracefully() -> None:
    """Ask Tune to stop: it treats SIGUSR1 as a request to do so.

    It closes every trial, which keeps its last epoch, and returns.
    """
    os.kill(os.getpid(), signal.SIGUSR1)


@contextmanager
def watched(view: View, timeout: float) -> Iterator[None]:
    """End the process if no trial reports anything for `timeout` seconds.

    Tune may then be waiting for ever.
    """
    over = threading.Event()

    def watch() -> None:
        while not over.wait(min(timeout / 4, 5.0)):
            silence = view.silence
            if silence > timeout:
                loud(view.console).print(
                    f"\nno epoch from any trial for {silence:.0f} s "
                    f"(run.stall_timeout: {timeout:g}): stopped.\n"
                    f"last seen: {view.last_seen or 'no trial had started'}\n"
                    "Run it again: finished trials stay, the others go on from their checkpoints.",
                    markup=False,
                )
                os._exit(STALLED)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
