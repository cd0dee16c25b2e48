"""How a run ends before its trials do: signals, and trials that report nothing any more."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
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
    lost: str | None = None
    """Why a trial's folder is no longer this run's."""
    dead: str | None = None
    """What trained the trials and has died."""

    @property
    def wanted(self) -> bool:
        """Whether the run is to end early."""
        reasons = (self.signal, self.no_space, self.lost, self.dead)
        return any(reason is not None for reason in reasons)


@contextmanager
def interruptible(
    stop: Stop,
    ask_to_stop: Callable[[], None] = lambda: None,
    end_workers: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Turn the first SIGINT or SIGTERM into a graceful stop, the second into an immediate one.

    Args:
        stop: the signal is noted here.
        ask_to_stop: called after the first signal, if the trials do not look at `stop` themselves;
            every trial keeps its last whole epoch.
        end_workers: called after the second: a process that hangs does not follow by itself.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.signal is not None:
            end_workers()
            os._exit(128 + number)
        stop.signal = number
        ask_to_stop()

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


class StopAsked(BaseException):
    """The run is to end early, and Tune, which would end it, does not run yet."""


def ask_to_stop() -> None:
    """Ask the main thread to stop, from any thread: Tune treats SIGUSR1 as a request to do so.

    It closes every trial, which keeps its last epoch, and returns.
    """
    os.kill(os.getpid(), signal.SIGUSR1)


@contextmanager
def stoppable_before_tune() -> Iterator[None]:
    """Raise StopAsked on SIGUSR1 as long as Tune has not put its own handler there."""

    def too_early(number: int, frame: FrameType | None) -> None:
        raise StopAsked

    before = signal.signal(signal.SIGUSR1, too_early)
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


@contextmanager
def watched(
    view: View, timeout: float, end_workers: Callable[[], None] = lambda: None
) -> Iterator[None]:
    """End the process if no trial reports anything for `timeout` seconds.

    `end_workers` is called before: a process that hangs does not follow by itself.
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
                    "Run it again: completed trials are kept, the others resume."
                )
                end_workers()
                os._exit(STALLED)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
