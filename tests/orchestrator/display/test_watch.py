"""`status --watch`: a screen of its own on a terminal, which q leaves as it was; printed once elsewhere."""

import io
import os
import pty
import termios
import threading
from types import SimpleNamespace

import pytest
from rich.console import Console

from orchestrator.display import watch as module
from orchestrator.display.watch import watch
from orchestrator.plain_console import plain_console

ENTER, LEAVE = "\x1b[?1049h", "\x1b[?1049l"


def test_without_a_terminal_it_is_printed_once():
    file = io.StringIO()
    watch(lambda console: console.print("12 done"), plain_console(file=file), every=60)
    assert file.getvalue() == "12 done\n"


@pytest.fixture
def keyboard(monkeypatch):
    """Write keys to the returned descriptor; the other end is this process's standard input."""
    ours, theirs = pty.openpty()
    stdin = SimpleNamespace(fileno=lambda: theirs, isatty=lambda: True)
    monkeypatch.setattr(module, "sys", SimpleNamespace(stdin=stdin))
    yield SimpleNamespace(ours=ours, theirs=theirs)
    os.close(ours)
    os.close(theirs)


def test_on_a_terminal_it_is_refreshed_on_a_screen_of_its_own_until_q(keyboard, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    before = termios.tcgetattr(keyboard.theirs)
    file = io.StringIO()
    console = plain_console(file=file, force_terminal=True, width=80, height=24, color_system=None)
    shown = []

    def show(page: Console) -> None:
        shown.append(len(shown))
        page.print(f"look {len(shown)}")
        if len(shown) == 2:
            os.write(keyboard.ours, b"xq")  # x is no command

    watching = threading.Thread(target=watch, args=(show, console, 0.05))
    watching.start()
    watching.join(timeout=60)
    assert not watching.is_alive()
    output = file.getvalue()
    assert output.startswith(ENTER)
    assert LEAVE in output
    assert "look 1" in output
    assert "look 2" in output
    assert "q ends" in output
    assert termios.tcgetattr(keyboard.theirs) == before


def test_ctrl_c_leaves_the_terminal_as_it_was(keyboard, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    before = termios.tcgetattr(keyboard.theirs)
    file = io.StringIO()

    def interrupted(page: Console) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        watch(interrupted, plain_console(file=file, force_terminal=True), every=60)
    assert LEAVE in file.getvalue()
    assert termios.tcgetattr(keyboard.theirs) == before
