"""Check whether the results of a run fit on the disk."""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from orchestrator.study.planned_trial import PlannedTrial


class Room:
    """Compares the size of the missing trials' results with the free disk space.

    Trials report their size when they start. The size depends on networks and data; to build them
    here too would delay the start by seconds.
    """

    def __init__(self, root: Path, todo: Sequence[PlannedTrial], slots: int):
        self._root = root
        self._slots = slots
        self._kinds = {trial.record.name: _kind(trial) for trial in todo}
        self._waiting = Counter(self._kinds.values())
        self._sizes: dict[str, tuple[int, int]] = {}
        self._started: set[str] = set()

    def lacking(self, name: str, kept: int, while_running: int) -> str | None:
        """Return a sentence if the free space is too small when trial `name` has started.

        Kinds of trials that have not started are not counted, nor are trials that a search or a
        sequential study will add.

        Args:
            name: the trial's name.
            kept: bytes of its results.
            while_running: further bytes that it needs while it runs.
        """
        if name in self._started:  # it resumes after a failure
            return None
        self._started.add(name)
        kind = self._kinds.pop(name, None)
        if kind is None:  # it was added later
            needed = self._needed() + kept + while_running
        else:
            self._sizes[kind] = kept, while_running
            needed = self._needed()
            self._waiting[kind] -= 1
        free = free_bytes(self._root)
        if needed <= free:
            return None
        return (
            f"the missing trials need about {size(needed)}, "
            f"and {size(free)} are free at {self._root}"
        )

    def _needed(self) -> int:
        """Return the bytes that waiting trials of known kinds need, also while they run."""
        total = 0
        most_while_running = 0
        for kind, (kept, while_running) in self._sizes.items():
            total += self._waiting[kind] * kept
            most_while_running = max(most_while_running, while_running)
        return total + self._slots * most_while_running


def _kind(trial: PlannedTrial) -> str:
    """Return a key that is equal for trials whose results have the same size."""
    config = trial.config
    networks = config.method.networks
    epochs = config.train.epochs
    return f"{config.data!r} {config.model!r} {networks} {epochs}"


def free_bytes(path: Path) -> int:
    """Return the free bytes on the disk of `path`, which need not exist."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def size(number: float) -> str:
    """Write a number of bytes in powers of 1000: `1.4 GB`."""
    if number < 1000:
        return f"{number:.0f} bytes"
    for unit in ("kB", "MB", "GB"):
        number /= 1000
        if number < 1000:
            return f"{number:.1f} {unit}"
    return f"{number / 1000:.1f} TB"
