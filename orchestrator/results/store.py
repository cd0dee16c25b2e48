"""The results folder of one study, for its runners: locks, states, renamed and stale trials.

Its layout and its states are the contract in `analysis/results/study_folder.py`. This module uses
the standard library only.
"""

import contextlib
import os
import re
import secrets
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.results.study_folder import (
    State,
    StudyPlan,
    TrialFiles,
    TrialRecord,
    read_files,
    read_plan,
    study_states,
)
from orchestrator.results import lock
from orchestrator.results.lock import StudyLock
from trainable.storage import names
from trainable.storage.trial_folder import TrialFolder, replace

MOVING = ".moving"
"""Folder below `runs/` through which renamed trials pass: two names may have been swapped."""


@dataclass(frozen=True)
class Snapshot:
    """What the trial folders below `runs/` held at one moment.

    `files` is by the folder's name: all planned trials, and whatever else is on disk. `owned` names
    the trials whose owner may still run.
    """

    files: Mapping[str, TrialFiles]
    owned: frozenset[str] = frozenset()


class Store:
    """The results of one study."""

    def __init__(self, root: Path):
        self.root = root
        self.runs = root / names.RUNS

    def lock(self) -> StudyLock:
        """The lock that makes one process the study's only runner."""
        return StudyLock(self.root / names.STUDY_LOCK, against=_shard_locks())

    def shard_lock(self, index: int, of: int, plan: str) -> StudyLock:
        """The lock of one share of the study.

        Other shares may run at the same time if their number and their plan are the same. `plan` is
        a word that is the same for equal trials: a study that is edited meanwhile has other shares.
        """
        file = names.SHARD_LOCK.format(index=index, of=of, plan=plan)
        same_array = _shard_locks(of=str(of), plan=plan)
        against = rf"{re.escape(names.STUDY_LOCK)}|(?!{same_array}$){_shard_locks()}"
        return StudyLock(self.root / file, against=against)

    def runners(self) -> list[dict[str, Any]]:
        """Living processes that run the study or shares of it: host, pid, …."""
        holders = []
        for path in sorted(self.root.glob("*.lock")):
            study_lock = StudyLock(path)
            if study_lock.holder_alive():
                holder = study_lock.holder()
                if holder:
                    holders.append(holder)
        return holders

    def folder(self, record: TrialRecord) -> TrialFolder:
        """A trial's folder."""
        return TrialFolder(self.runs / record.name)

    def is_done(self, name: str) -> bool:
        """Whether the trial of this name is completed."""
        return (self.runs / name / names.SUMMARY).exists()

    def source_dir(self, record: TrialRecord) -> Path | None:
        """Folder of the trial that a trial uses; None: it uses none."""
        return (self.runs / record.source).resolve() if record.source else None

    # --- the plan ---

    def write_plan(self, text: str, plan: StudyPlan) -> None:
        """Keep the study as it is run now; `text` is its file.

        Arms that left it stay on disk, uncounted.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        replace(self.root / names.STUDY, text.encode())
        replace(self.root / names.PLAN, plan.to_json().encode())

    def read_plan(self) -> StudyPlan:
        """The study as it was last run. Raises NoStudy."""
        return read_plan(self.root)

    # --- states ---

    def states(self, records: Iterable[TrialRecord], max_failures: int) -> dict[TrialRecord, State]:
        """The state of each trial, from files alone."""
        records = list(records)
        trial_names = [record.name for record in records]
        snapshot = self._snapshot(trial_names, bool(self.runners()))
        return study_states(records, snapshot.files, max_failures, snapshot.owned)

    def snapshot(self, records: Iterable[TrialRecord]) -> Snapshot:
        """What the folders of these trials hold, and all other trial folders on disk.

        This process does not count as one that runs the study: a plan is the same before and after
        it takes the lock.
        """
        others = [holder for holder in self.runners() if not lock.is_this_process(holder)]
        trial_names = [record.name for record in records]
        trial_names += self._on_disk()
        return self._snapshot(trial_names, bool(others))

    def _snapshot(self, trial_names: list[str], running: bool) -> Snapshot:
        """What the folders of these names hold; owners count only while the study is `running`."""
        files: dict[str, TrialFiles] = {}
        for name in trial_names:
            if name not in files:
                files[name] = read_files(TrialFolder(self.runs / name))
        if not running:
            return Snapshot(files)
        owned = set()
        for name, found in files.items():
            if found.owner and lock.alive(found.owner["host"], found.owner["pid"]):
                owned.add(name)
        return Snapshot(files, frozenset(owned))

    def code(self, record: TrialRecord) -> str | None:
        """Hash of the code that made a trial, as its fingerprint has it."""
        return read_files(self.folder(record)).code

    def uncounted(self, records: Iterable[TrialRecord]) -> list[str]:
        """Names of trials on disk that the study does not plan."""
        planned = {record.name for record in records}
        return sorted(name for name in self._on_disk() if name not in planned)

    def _on_disk(self) -> list[str]:
        """Names of all folders below `runs/` that say what was trained in them."""
        files = self.runs.rglob(f"seed=*/{names.TRIAL}")
        return [file.parent.relative_to(self.runs).as_posix() for file in files]

    def forget_failures(self, records: Iterable[TrialRecord]) -> None:
        """Let failed trials be tried again, from their checkpoints."""
        for record in records:
            self.folder(record).path.joinpath(names.FAILURE).unlink(missing_ok=True)

    # --- moving ---

    def rename(self, moves: Mapping[str, str]) -> None:
        """Move trials to new names, old name → new name.

        All are first moved out of the way, below `runs/.moving/`; after a crash in between they are
        found there.
        """
        waiting = self.runs / MOVING / secrets.token_hex(4)
        for old in moves:
            _move(self.runs / old, waiting / old)
        for old, new in moves.items():
            _move(waiting / old, self.runs / new)
        if moves:
            _prune(self.runs)

    def set_aside(self, trial_names: Iterable[str]) -> Path:
        """Move folders below `runs/` to `archive/<time>/`, which is returned."""
        now = time.strftime("%Y%m%d-%H%M%S")
        target = self.root / names.ARCHIVE / f"{now}-{secrets.token_hex(2)}"
        for name in trial_names:
            _move(self.runs / name, target / name)
        _prune(self.runs)
        return target


def _shard_locks(of: str = r"\d+", plan: str = r"\w+") -> str:
    """A pattern of the names of shards' locks; by default any number of shards, and any plan."""
    pattern = names.SHARD_LOCK.format(index=r"\d+", of=of, plan=plan)
    return pattern.replace(".lock", r"\.lock")


def _move(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    old.rename(new)


def _prune(root: Path) -> None:
    """Remove folders that moving left empty."""
    for folder, _, _ in os.walk(root, topdown=False):
        if Path(folder) != root:
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
