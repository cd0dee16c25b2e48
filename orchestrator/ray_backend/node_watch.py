"""Notice that the Ray that trains has died: Tune then waits forever for machines."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import ray

EVERY_S = 2.0
"""Time between two looks. Ray itself takes some ten seconds to count a machine as dead."""


def is_dead() -> bool:
    """Return whether no machine of this Ray is alive any more."""
    return not any(node["Alive"] for node in ray.nodes())


@contextmanager
def watched_nodes(died: Callable[[], None]) -> Iterator[None]:
    """Call `died` once, in a thread, if no machine of this Ray is alive any more."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(EVERY_S):
            if is_dead():
                died()
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
