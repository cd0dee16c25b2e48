"""A study's folder: the plan, the state of each trial read from files alone, renamed and stale trials.

Layout: `study.yaml`, `trials.json`, `provenance.json`, `study.lock`, `runs/[<setting>/]<arm>/seed=<n>/`,
`archive/<time>/…`, `report/`. Standard library only: it answers while a study runs and after the machine has died.
"""

import contextlib
import dataclasses
import json
import os
import re
import secrets
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from orchestrator.results.lock import StudyLock, alive
from trainable.storage.trial_folder import PLACE, TrialFolder, replace

State = Literal["done", "stopped", "running", "partial", "failed", "blocked", "stale", "todo"]
STATES: tuple[State, ...] = get_args(State)


class NoStudy(Exception):
    """A folder holds no study's results."""


@dataclass(frozen=True)
class TrialRecord:
    """One planned trial as `trials.json` has it.

    `family` groups the comparisons that are corrected together: None for the baseline, "arms", or a factor's path.
    `baseline` names the arm it is paired with; None if the arm changes data or noise and cannot be paired.
    `source` is the name of the trial that it uses (`from_arm`), which has to be done first.
    """

    id: str
    setting: str | None
    arm: str
    seed: int
    family: str | None
    baseline: str | None
    epochs: int
    source: str | None = None

    @property
    def name(self) -> str:
        """Its folder below `runs/`."""
        return trial_name(self.setting, self.arm, self.seed)


def trial_name(setting: str | None, arm: str, seed: int) -> str:
    """`[setting/]arm/seed=n`."""
    return "/".join(filter(None, [setting, arm, f"seed={seed}"]))


class Store:
    """The results of one study."""

    def __init__(self, root: Path):
        self.root = root
        self.runs = root / "runs"

    def lock(self) -> StudyLock:
        """The lock that makes one process the study's only runner."""
        return StudyLock(self.root / "study.lock", against=r"shard-.*\.lock")

    def shard_lock(self, index: int, of: int, plan: str) -> StudyLock:
        """The lock of one share of the study; other shares of the same number, and of the same plan, may run beside it.

        `plan` is a word that is the same for equal trials: a study that is edited meanwhile has other shares.
        """
        shares = f"of-{of}-{plan}"
        return StudyLock(
            self.root / f"shard-{index}-{shares}.lock", against=rf"study\.lock|shard-(?!\d+-{shares}\.).*\.lock"
        )

    def runners(self) -> list[dict[str, Any]]:
        """Living processes that run the study or shares of it: host, pid, …."""
        locks = [StudyLock(path) for path in sorted(self.root.glob("*.lock"))]
        return [holder for lock in locks if lock.holder_alive() and (holder := lock.holder())]

    def folder(self, record: TrialRecord) -> TrialFolder:
        """A trial's folder."""
        return TrialFolder(self.runs / record.name)

    def source_dir(self, record: TrialRecord) -> Path | None:
        """Folder of the trial that a trial uses; None: it uses none."""
        return (self.runs / record.source).resolve() if record.source else None

    # --- the plan ---

    def write_plan(
        self,
        study: str,
        text: str,
        max_failures: int,
        records: list[TrialRecord],
        margin: float = 0.5,
        factors: Sequence[str] = (),
    ) -> None:
        """Keep the study as it is run now; arms that left it stay on disk, uncounted.

        `margin` (points) and `factors` (the paths of the fields that they change) are for the analysis.
        """
        self.root.mkdir(parents=True, exist_ok=True)
        trials = [{**dataclasses.asdict(r), "folder": f"runs/{r.name}"} for r in records]
        plan = {
            **{"study": study, "max_failures": max_failures, "margin": margin, "factors": list(factors)},
            "trials": trials,
        }
        replace(self.root / "study.yaml", text.encode())
        replace(self.root / "trials.json", json.dumps(plan, indent=1).encode())

    def read_plan(self) -> tuple[str, int, list[TrialRecord]]:
        """(study's name, max_failures, trials). Raises NoStudy."""
        try:
            plan = json.loads((self.root / "trials.json").read_bytes())
            fields = [f.name for f in dataclasses.fields(TrialRecord)]
            records = [TrialRecord(**{name: t[name] for name in fields if name in t}) for t in plan["trials"]]
            if strange := [record.name for record in records if not PLACE.fullmatch(record.name)]:
                raise NoStudy(f"{self.root}/trials.json: {strange[0]} is no folder of a trial")
            return plan["study"], plan["max_failures"], records
        except (OSError, ValueError, KeyError, TypeError):
            raise NoStudy(f"{self.root} holds no study (there is no readable trials.json in it)") from None

    # --- states ---

    def states(self, records: Iterable[TrialRecord], max_failures: int) -> dict[TrialRecord, State]:
        """The state of each trial, from files alone. What uses a failed trial, or one that does, is blocked."""
        held = bool(self.runners())
        states = {record: self._state(record, max_failures, held) for record in records}
        named = {record.name: record for record in states}

        def blocked(record: TrialRecord) -> bool:
            if states[record] not in ("todo", "partial") or record.source not in named:
                return False
            source = named[record.source]
            return states[source] == "failed" or blocked(source)

        return {record: "blocked" if blocked(record) else state for record, state in states.items()}

    def _state(self, record: TrialRecord, max_failures: int, held: bool) -> State:
        folder = self.folder(record)
        about = folder.trial
        if about is None:
            return "todo" if folder.summary is None else "stale"  # a result of something that nobody can tell
        if about.get("id") != record.id:
            return "stale"
        if folder.summary is not None:
            return "done"
        if folder.stopped is not None:
            return "stopped"
        failure = folder.failure
        if failure and (not failure["retry"] or failure["attempts"] > max_failures):
            return "failed"
        if held and (owner := folder.owner) and alive(owner["host"], owner["pid"]):
            return "running"
        return "partial" if folder.has_checkpoint else "todo"

    def code(self, record: TrialRecord) -> str | None:
        """Hash of the code that made a trial, as its fingerprint has it."""
        return ((self.folder(record).trial or {}).get("fingerprint") or {}).get("code")

    def uncounted(self, records: Iterable[TrialRecord]) -> list[str]:
        """Names of trials on disk that the study does not plan."""
        planned = {record.name for record in records}
        return sorted(name for name in self._on_disk() if name not in planned)

    def _on_disk(self) -> dict[str, dict[str, Any]]:
        """Every trial folder below `runs/`: its name and its `trial.json`."""
        found = {}
        for file in self.runs.rglob("seed=*/trial.json"):
            with contextlib.suppress(OSError, ValueError):
                found[file.parent.relative_to(self.runs).as_posix()] = json.loads(file.read_bytes())
        return found

    def forget_failures(self, records: Iterable[TrialRecord]) -> None:
        """Let failed trials be tried again, from their checkpoints."""
        for record in records:
            self.folder(record).path.joinpath("failure.json").unlink(missing_ok=True)

    # --- moving ---

    def adopt(self, records: list[TrialRecord]) -> list[tuple[str, str]]:
        """Move done trials that the study now has under another name; (old, new) names.

        Two names may have been swapped, so all are first moved out of the way, below `runs/.moving/`; after a crash in
        between they are found there.
        """
        on_disk = self._on_disk()
        planned = {record.name: record.id for record in records}
        misplaced = {
            about.get("id"): name
            for name, about in on_disk.items()
            if planned.get(name) != about.get("id") and (self.runs / name / "summary.json").exists()
        }
        moves = {
            misplaced[record.id]: record.name
            for record in records
            if record.id in misplaced and on_disk.get(record.name, {}).get("id") != record.id
        }
        while blocked := [old for old, new in moves.items() if new not in moves and (self.runs / new).exists()]:
            for old in blocked:  # its place is taken, so what wanted its own place must stay too
                del moves[old]
        aside = self.runs / ".moving" / secrets.token_hex(4)
        for old in moves:
            _move(self.runs / old, aside / old)
        for old, new in moves.items():
            _move(aside / old, self.runs / new)
        if moves:
            _prune(self.runs)
        return [(re.sub(r"^\.moving/[^/]*/", "", old), new) for old, new in moves.items()]

    def archive(self, records: Iterable[TrialRecord]) -> Path:
        """Move trials aside, whole, to `archive/<time>/`."""
        return self.set_aside(record.name for record in records)

    def set_aside(self, names: Iterable[str]) -> Path:
        """Move folders below `runs/` to `archive/<time>/`, which is returned."""
        target = self.root / "archive" / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        for name in names:
            _move(self.runs / name, target / name)
        _prune(self.runs)
        return target


def _move(old: Path, new: Path) -> None:
    new.parent.mkdir(parents=True, exist_ok=True)
    old.rename(new)


def _prune(root: Path) -> None:
    """Remove folders that moving left empty."""
    for folder, _, _ in os.walk(root, topdown=False):
        if Path(folder) != root:
            with contextlib.suppress(OSError):
                Path(folder).rmdir()
