"""Show what a function prints on a screen of its own, again and again, until q or Ctrl-C."""

import os
import select
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.live import Live
from rich.text import Text

from orchestrator.plain_console import plain_console

Print = Callable[[Console], None]


def watch(show: Print, console: Console, every: float) -> None:
    """Show on the terminal's alternate screen what `show` prints, and refresh it.

    If standard output is no terminal, it is printed once.

    Args:
        show: prints to the console that it is given.
        console: output for users.
        every: seconds between two refreshes.
    """
    if not console.is_terminal:
        show(console)
        return
    with _keys() as pressed, Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            live.update(_page(show, console, every), refresh=True)
            if pressed(every) == "q":
                return


def _page(show: Print, console: Console, every: float) -> Text:
    """Return what `show` prints, below a line with the time."""
    drawn = plain_console(
        width=console.width,
        force_terminal=True,
        color_system=console.color_system,
        soft_wrap=False,
    )
    with drawn.capture() as captured:
        now = time.strftime("%H:%M:%S")
        drawn.print(f"{now}, every {every:g} s; q ends", style="dim")
        show(drawn)
    return Text.from_ansi(captured.get(), no_wrap=False)


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Yield a function that waits for a key, at most so long (s), and returns it or an empty text.

    The terminal passes keys on at once meanwhile, and does not show them. Without such a terminal
    the function waits only.
    """
    try:
        import termios
        import tty
    except ImportError:  # Windows has neither
        yield _wait
        return
    if not sys.stdin.isatty():
        yield _wait
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    try:
        yield _key
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)


def _key(seconds: float) -> str:
    descriptor = sys.stdin.fileno()
    ready, _, _ = select.select([descriptor], [], [], seconds)
    return os.read(descriptor, 1).decode(errors="replace") if ready else ""


def _wait(seconds: float) -> str:
    time.sleep(seconds)
    return ""
