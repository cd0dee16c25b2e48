"""Results folder of one study, for its runners: locks, states, renamed and stale trials.

Layout and states are defined in `analysis/results/study_folder.py`. This module uses the standard
library only.
"""

import contextlib
import dataclasses
import os
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.results.study_folder import State, study_states
from analysis.results.study_plan import NoStudy, StudyPlan, TrialRecord, read_plan
from analysis.results.trial_files import TrialFiles, read_files, read_folders
from orchestrator.results import lock
from orchestrator.results.lock import StudyLock
from trainable.storage import names
from trainable.storage.checksums import FORMAT, text_checksum
from trainable.storage.trial_folder import TrialFolder, replace

MOVING = ".moving"
"""Temporary folder below `runs/` for renamed trials, whose names may have been swapped."""


@dataclass(frozen=True)
class Snapshot:
    """Contents of the trial folders below `runs/` at one moment.

    `files` maps names to contents, for all planned trials and all others on disk. `owned` has the
    names of trials whose owner may still run.
    """

    files: Mapping[str, TrialFiles]
    owned: frozenset[str] = frozenset()

    def states(self, records: Iterable[TrialRecord], max_failures: int) -> dict[TrialRecord, State]:
        """Return the state of each trial."""
        return study_states(records, self.files, max_failures, self.owned)


class Store:
    """The results of one study."""

    def __init__(self, root: Path):
        self.root = root
        self.runs = root / names.RUNS

    def lock(self, tell: Callable[[str], None] = lambda sentence: None) -> StudyLock:
        """Return the lock that allows one runner of the study at a time; `tell` prints waits."""
        return StudyLock(self.root / names.STUDY_LOCK, _shard_locks(), tell)

    def shard_lock(
        self,
        index: int,
        of: int,
        plan: str,
        tell: Callable[[str], None] = lambda sentence: None,
    ) -> StudyLock:
        """Return the lock of one shard of the study; `tell` prints waits.

        Other shards may run at the same time if `of` and `plan` are the same. `plan` identifies the
        planned trials: a study that was edited meanwhile has other shards.
        """
        file = names.SHARD_LOCK.format(index=index, of=of, plan=plan)
        same_array = _shard_locks(of=str(of), plan=plan)
        against = rf"{re.escape(names.STUDY_LOCK)}|(?!{same_array}$){_shard_locks()}"
        return StudyLock(self.root / file, against, tell)

    def runners(self) -> list[dict[str, Any]]:
        """Return the holders of the locks of running processes: host, pid, …."""
        holders = []
        for path in sorted(self.root.glob("*.lock")):
            study_lock = StudyLock(path)
            if study_lock.holder_alive():
                holder = study_lock.holder()
                if holder:
                    holders.append(holder)
        return holders

    def folder(self, record: TrialRecord) -> TrialFolder:
        """Return a trial's folder."""
        return TrialFolder(self.runs / record.name)

    def is_done(self, name: str) -> bool:
        """Return whether the trial of this name is completed."""
        return (self.runs / name / names.SUMMARY).exists()

    def source_dir(self, record: TrialRecord) -> Path | None:
        """Return the folder of the trial that a trial depends on; None if there is none."""
        return (self.runs / record.source).resolve() if record.source else None

    # --- the plan ---

    def write_plan(self, text: str, plan: StudyPlan) -> None:
        """Write the study as it is run now; `text` is the content of its file.

        Arms that were removed from the study stay on disk and are not counted.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        plan = dataclasses.replace(
            plan, checksums=self._all_have_checksums(), study_checksum=text_checksum(text)
        )
        replace(self.root / names.STUDY, text.encode())
        replace(self.root / names.PLAN, plan.to_json().encode())

    def _all_have_checksums(self) -> bool:
        """Return whether no trial is from before there were checksums."""
        try:
            return self.read_plan().checksums
        except NoStudy:
            trials = [TrialFolder(self.runs / name).trial for name in self._on_disk()]
            return all(trial.get("format") == FORMAT for trial in trials if trial)

    def read_plan(self) -> StudyPlan:
        """Return the study as it was last run. Raises NoStudy."""
        return read_plan(self.root)

    # --- states ---

    def states(self, records: Iterable[TrialRecord], max_failures: int) -> dict[TrialRecord, State]:
        """Return the state of each trial, read from files."""
        records = list(records)
        return self.planned(records).states(records, max_failures)

    def planned(self, records: Iterable[TrialRecord], indexed: bool = True) -> Snapshot:
        """Read the folders of these trials; without the index, every file is checked anew."""
        return self._snapshot(list(records), [], bool(self.runners()), indexed)

    def snapshot(self, records: Iterable[TrialRecord]) -> Snapshot:
        """Read the folders of these trials and all other trial folders on disk.

        This process does not count as one that runs the study: a plan is the same before and after
        it takes the lock.
        """
        others = [holder for holder in self.runners() if not lock.is_this_process(holder)]
        return self._snapshot(list(records), self._on_disk(), bool(others))

    def _snapshot(
        self, records: list[TrialRecord], others: list[str], running: bool, indexed: bool = True
    ) -> Snapshot:
        """Read the folders of trials and `others`; owners count only if the study is `running`."""
        files = read_folders(self.root, records, others, indexed)
        if not running:
            return Snapshot(files)
        owned = set()
        for name, found in files.items():
            if found.owner and lock.alive(found.owner["host"], found.owner["pid"]):
                owned.add(name)
        return Snapshot(files, frozenset(owned))

    def code(self, record: TrialRecord) -> str | None:
        """Return the hash of the code that ran a trial, from its fingerprint."""
        return read_files(self.folder(record)).code

    def count_ended(self) -> int:
        """Return the number of trials on disk that have a result."""
        return sum(map(self.is_done, self._on_disk()))

    def uncounted(self, records: Iterable[TrialRecord]) -> list[str]:
        """Return the names of trials on disk that the study does not plan."""
        planned = {record.name for record in records}
        others = [name for name in self._on_disk() if name not in planned]
        return sorted(name for name in others if (self.runs / name / names.TRIAL).exists())

    def _on_disk(self) -> list[str]:
        """Return the names of all trial folders below `runs/`, which are not opened."""
        found = []
        for place, folders, _ in os.walk(self.runs):
            arm = Path(place).relative_to(self.runs).as_posix()
            found += [f"{arm}/{name}" for name in folders if name.startswith("seed=")]
            folders[:] = [name for name in folders if not name.startswith("seed=")]
        return found

    def forget_failures(self, records: Iterable[TrialRecord]) -> None:
        """Remove the records of failures, so that the trials resume from their checkpoints."""
        for record in records:
            self.folder(record).path.joinpath(names.FAILURE).unlink(missing_ok=True)

    # --- moving ---

    def rename(self, moves: Mapping[str, str]) -> None:
        """Move trials to new names, old name → new name.

        All are first moved to `runs/.moving/`. After a crash the next run finds them there.
        """
        waiting = self.runs / MOVING / secrets.token_hex(4)
        for old in moves:
            _move(self.runs / old, waiting / old)
        for old, new in moves.items():
            _move(waiting / old, self.runs / new)
        if moves:
            _prune(self.runs)

    def set_aside(self, trial_names: Iterable[str]) -> Path:
        """Move folders below `runs/` to `archive/<time>/`; return that folder."""
        now = time.strftime("%Y%m%d-%H%M%S")
        target = self.root / names.ARCHIVE / f"{now}-{secrets.token_hex(2)}"
        for name in trial_names:
            _move(self.runs / name, target / name)
        _prune(self.runs)
        return target


def _shard_locks(of: str = r"\d+", plan: str = r"\w+") -> str:
    """Return a pattern of names of shards' locks; by default for any shards and plan."""
    pattern = names.SHARD_LOCK.format(index=r"\d+", of=of, plan=plan)
    return pattern.replace(".lock", r"\.lock")


def _move(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    old.rename(new)


def _prune(root: Path) -> None:
    """Remove empty folders."""
    for folder, _, _ in os.walk(root, topdown=False):
        if Path(folder) != root:
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
