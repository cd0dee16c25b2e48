"""Whether what a run will write fits on the disk."""

import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from orchestrator.study.planned_trial import PlannedTrial


class Room:
    """Compares the missing trials' results with the free space, as trials tell their size when they begin.

    Their size depends on the networks and the data. Only a trial has built them, and building them here too would
    hold up the start by seconds.
    """

    def __init__(self, root: Path, todo: Sequence[PlannedTrial], slots: int):
        self._root, self._slots = root, slots
        self._kinds = {trial.record.name: _kind(trial) for trial in todo}
        self._waiting = Counter(self._kinds.values())
        self._sizes: dict[str, tuple[int, int]] = {}

    def lacking(self, name: str, kept: int, while_running: int) -> str | None:
        """A sentence if it is too small, once trial `name` is known to keep so many bytes and to need so many more.

        Kinds of trials that have not begun are left out.
        """
        kind = self._kinds.pop(name, None)
        if kind is None:  # it begins a second time, after a failure
            return None
        self._sizes[kind] = kept, while_running
        total = sum(self._waiting[other] * size for other, (size, _) in self._sizes.items())
        needed = total + self._slots * max(running for _, running in self._sizes.values())
        self._waiting[kind] -= 1
        if needed <= (free := free_bytes(self._root)):
            return None
        return f"the missing trials need about {size(needed)}, and {size(free)} are free at {self._root}"


def _kind(trial: PlannedTrial) -> str:
    config = trial.config
    return f"{config.data!r} {config.model!r} {config.method.networks} {config.train.epochs}"


def free_bytes(path: Path) -> int:
    """Free bytes where `path` is, or will be."""
    while not path.exists():
        path = path.parent
    return shutil.disk_usage(path).free


def size(number: float) -> str:
    """`1.4 GB`, in powers of 1000."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if number < 1000:
            return f"{number:.0f} {unit}" if unit == "bytes" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} TB"
