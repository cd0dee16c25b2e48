"""A state machine of two trials and their folders, under a process that may die at any file operation."""

import errno
import hashlib
import itertools
import json
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from analysis.results.study_plan import TrialRecord
from orchestrator.results.store import Store
from orchestrator.scheduling.renamed_trials import renamed
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig, trial_id
from trainable.errors import DataError
from trainable.storage.names import EPOCH_SECONDS, LAST10
from trainable.storage.trial_folder import LostFolder
from trainable.trial.session import Session

EPOCHS, MAX_FAILURES = 3, 1
CONFIGS = [
    TrialConfig.model_validate(
        {"train": {"epochs": EPOCHS, "lr": lr}, "method": {"name": "dividemix", "warmup_epochs": 1}}
    )
    for lr in (0.01, 0.03)
]
"""The two trials; they are called 0 and 1."""
IDS = [trial_id(config) for config in CONFIGS]
SUMMARY = {"rows": EPOCHS, LAST10: 90.0, EPOCH_SECONDS: 1.5, "data_hash": "d", "noise_hash": "n"}
FAULTS = st.one_of(
    st.none(), *2 * [st.tuples(st.integers(0, 40), st.sampled_from(["crash", "crash", "full"]))]
)
NAMES = st.permutations(["a", "b", "c"])


class Crash(BaseException):
    """Stands for the death of the process."""


class Faults:
    """Counts file operations and strikes at the chosen one."""

    def __init__(self, patch: pytest.MonkeyPatch):
        self.left: int | None = None
        self.kind = "crash"
        self.operations = 0
        patch.setattr(os, "fsync", lambda descriptor: self.hit())
        for name in ("replace", "rename", "unlink", "mkdir"):
            patch.setattr(Path, name, self._counted(getattr(Path, name)))
        real = Path.open

        def opened(path: Path, mode: str = "r", *arguments: Any, **options: Any) -> Any:
            if mode[0] == "r":
                return real(path, mode, *arguments, **options)
            self.hit()
            file = real(path, mode, *arguments, **options)
            write = file.write

            def torn(content: Any) -> None:
                self.hit(lambda: write(content[: len(content) // 2]))
                write(content)

            file.write = torn
            return file

        patch.setattr(Path, "open", opened)

    def _counted(self, real: Any) -> Any:
        def counted(path: Path, *arguments: Any, **options: Any) -> Any:
            self.hit()
            return real(path, *arguments, **options)

        return counted

    def hit(self, before: Any = lambda: None) -> None:
        self.operations += 1
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                before()
                raise (
                    Crash
                    if self.kind == "crash"
                    else OSError(errno.ENOSPC, "No space left on device")
                )

    @contextmanager
    def at(self, fault: tuple[int, str] | None) -> Iterator[None]:
        self.left, self.kind = fault or (None, "")
        try:
            yield
        finally:
            self.left = None


class FakeTrial:
    """What Session needs of a trial; its rows tell the trial and the epoch."""

    error: Exception | None = None
    is_best = True
    notes = ()
    test_labels = "trusted"

    def __init__(self, config: TrialConfig, machine: Machine):
        self.config, self.epoch, self.rows = config, 0, []
        self.number = IDS.index(trial_id(config))
        self.method = SimpleNamespace(records={}, division={})

    def restore(self, state: bytes, rows: list[dict[str, Any]]) -> None:
        told = json.loads(state)
        assert told["trial"] == self.number, "the checkpoint of another trial"
        self.epoch, self.rows = (
            told["epoch"],
            [row for row in rows if row["epoch"] <= told["epoch"]],
        )

    def __next__(self) -> dict[str, Any]:
        if self.error:
            raise self.error
        self.epoch += 1
        self.rows.append(row_of(self.number, self.epoch))
        return self.rows[-1]

    def state(self) -> bytes:
        return json.dumps({"trial": self.number, "epoch": self.epoch, "padding": "x" * 50}).encode()

    def weights(self) -> bytes:
        return b"weights"

    samples = weights

    def summary(self) -> dict[str, Any]:
        return {**SUMMARY, "rows": len(self.rows)}


def row_of(number: int, epoch: int) -> dict[str, Any]:
    return {"epoch": epoch, "trial": number, EPOCH_SECONDS: 0.5}


class Slot:
    """What the model knows of one trial folder, wherever it was moved: at least so much is on disk."""

    def __init__(self) -> None:
        self.number: int | None = None
        self.saved = 0
        self.done = False
        self.attempts = (0, 0)  # at least, at most


def whole_checkpoint(path: Path) -> int:
    """The newest epoch under a right checksum, 0 if there is none."""
    found = [0]
    for name in ("checkpoint.pt", "checkpoint.prev.pt"):
        with suppress(FileNotFoundError):
            header, _, state = (path / name).read_bytes().partition(b"\n")
            if header.split()[-1:] == [hashlib.sha256(state).hexdigest().encode()]:
                found.append(json.loads(state)["epoch"])
    return max(found)


def snapshot(folder: Path) -> tuple[tuple[str, bytes], ...]:
    return tuple(sorted((file.name, file.read_bytes()) for file in folder.iterdir()))


class Histories(RuleBasedStateMachine):
    """Sessions in their folders, renamed and archived, under a process that may die."""

    root: Path
    faults: Faults
    count = itertools.count()

    def __init__(self) -> None:
        super().__init__()
        self.store = Store(self.root / str(next(self.count)) / "s")
        self.slots: dict[int, Slot] = {}  # by the folder's inode, which moving keeps
        self.open: dict[int, Session] = {}  # by the trial's number
        self.archived: dict[Path, bytes] = {}
        self.names = ["a", "b"]
        self.settled = True

    @property
    def records(self) -> list[TrialRecord]:
        return [TrialRecord(IDS[k], None, self.names[k], 0, None, None, EPOCHS) for k in (0, 1)]

    def state(self, number: int) -> str:
        return self.store.states(self.records, MAX_FAILURES)[self.records[number]]

    def slot(self, path: Path) -> Slot:
        return self.slots.setdefault(path.stat().st_ino, Slot())

    def die(self) -> None:
        self.open.clear()

    @rule(number=st.integers(0, 1), every=st.integers(1, 2), fault=FAULTS)
    def claim(self, number: int, every: int, fault: Any) -> None:
        if not self.settled:  # every run adopts first
            self.adopt(list(self.names), None)
        before = self.state(number)
        if before in ("stale", "failed"):
            return
        record, old = self.records[number], self.open.pop(number, None)
        path = self.store.folder(record).path
        if path.exists() and (path / "trial.json").exists():
            assert self.slot(path).number == number
        try:
            with self.faults.at(fault):
                session = Session(CONFIGS[number], path, Machine(checkpoint_every=every))
        except (Crash, OSError):
            self.die()
            return
        finally:
            if path.exists():
                self.slot(path).number = number
        if session.no_space:
            session.close()
            return
        slot = self.slot(path)
        if before == "done":
            assert session.finished
            assert session.trial is None
        else:
            assert session.trial is not None
            assert slot.saved <= session.trial.epoch <= EPOCHS, "a durable epoch is lost"
            assert session.folder.rows() == [
                row_of(number, e) for e in range(1, session.trial.epoch + 1)
            ]
            assert session.trial.rows == session.folder.rows()
            slot.done = session.finished
        self.open[number] = session
        if old and not old.finished:
            now = snapshot(path)
            with pytest.raises(LostFolder):
                old.advance()
            old.close()
            assert snapshot(path) == now, "written behind its owner's back"

    def begun(self, number: int) -> Session | None:
        if number not in self.open:
            self.claim(number, 1, None)
        return self.open.get(number)

    @rule(number=st.integers(0, 1), epochs=st.integers(1, EPOCHS), fault=FAULTS)
    def train(self, number: int, epochs: int, fault: Any) -> None:
        session = self.begun(number)
        if session is None:
            return
        slot = self.slot(session.folder.path)
        try:
            with self.faults.at(fault):
                for _ in range(epochs):
                    row = session.advance()
                    if row and (
                        session.finished or row["epoch"] % session.machine.checkpoint_every == 0
                    ):
                        slot.saved = row["epoch"]
        except (Crash, OSError):
            self.die()
        else:
            slot.done = session.finished and not session.no_space and not session.folder.failure

    @rule(number=st.integers(0, 1), retry=st.booleans(), fault=FAULTS)
    def fail(self, number: int, retry: bool, fault: Any) -> None:
        session = self.begun(number)
        if session is None or session.finished:
            return
        slot = self.slot(session.folder.path)
        least, most = slot.attempts
        slot.attempts = least, most + 1
        session.trial.error = RuntimeError("again") if retry else DataError("never")
        try:
            with self.faults.at(fault), suppress(RuntimeError):
                session.advance()
            if session.no_space:
                raise OSError(session.no_space)
            slot.attempts = least + 1, most + 1
            assert session.folder.failure["retry"] is retry
            self.open.pop(number).close()
        except (Crash, OSError):
            self.die()

    @rule(number=st.integers(0, 1), fault=FAULTS)
    def close(self, number: int, fault: Any) -> None:
        session = self.open.pop(number, None)
        if session is None:
            return
        slot, epoch = self.slot(session.folder.path), session.trial.epoch if session.trial else 0
        try:
            with self.faults.at(fault):
                session.close()
            if not session.finished and (fault is None or fault[1] == "crash"):
                slot.saved = max(slot.saved, epoch)
        except Crash:
            self.die()

    @rule(names=NAMES, fault=FAULTS)
    def adopt(self, names: list[str], fault: Any) -> None:
        """The study has other names; what is done moves."""
        self.die()
        self.names, self.settled = names[:2], False
        before = self.everything()
        try:
            with self.faults.at(fault):
                self.store.rename(renamed(self.records, self.store.snapshot(self.records).files))
            self.settled = True
        except (Crash, OSError):
            if fault is None:
                raise
        assert self.everything() == before, "a moved folder has changed"

    @rule(fault=FAULTS)
    def archive(self, fault: Any) -> None:
        self.die()
        stale = [
            record for record in self.records if self.state(self.records.index(record)) == "stale"
        ]
        before = self.everything()
        try:
            with self.faults.at(fault):
                self.store.set_aside(record.name for record in stale)
            assert all(self.state(self.records.index(record)) == "todo" for record in stale)
        except (Crash, OSError):
            if fault is None:
                raise
        assert self.everything() == before, "an archived folder has changed"
        now = self.in_archive()
        assert now.items() >= self.archived.items()
        self.archived = now

    @rule()
    def forget(self) -> None:
        self.die()
        self.store.forget_failures(self.records)
        for record in self.records:
            with suppress(FileNotFoundError):
                self.slot(self.store.folder(record).path).attempts = 0, 0

    def everything(self) -> Counter[Any]:
        """The bytes of every trial's folder, wherever it lies; empty ones, which may be removed, left out."""
        return Counter(filter(None, map(snapshot, self.store.root.rglob("seed=*"))))

    def in_archive(self) -> dict[Path, bytes]:
        return {p: p.read_bytes() for p in (self.store.root / "archive").rglob("*") if p.is_file()}

    @invariant()
    def nothing_is_misread(self) -> None:
        for record in self.records:
            state, folder = self.state(self.records.index(record)), self.store.folder(record)
            if not folder.path.exists():
                assert state == "todo"
                continue
            slot, about, path = self.slot(folder.path), folder.trial, folder.path
            complete = folder.summary is not None
            if about is None:
                assert state == "todo"
                assert not slot.saved
                assert not slot.done
                assert not complete
                continue
            assert about["id"] == IDS[slot.number]
            rows, whole = folder.rows(), whole_checkpoint(path)
            assert rows == [row_of(slot.number, epoch) for epoch in range(1, len(rows) + 1)], (
                "gaps or doubles"
            )
            assert complete or len(rows) >= whole >= slot.saved, "a durable epoch is lost"
            if complete or slot.done:
                assert folder.summary == SUMMARY
                assert len(rows) == EPOCHS, "a summary without all rows"
                assert (
                    (path / "model.pt").read_bytes()
                    == (path / "samples.npz").read_bytes()
                    == b"weights"
                )
            failure = folder.failure
            assert (
                slot.attempts[0] * (not complete)
                <= (failure or {}).get("attempts", 0)
                <= slot.attempts[1]
            )
            if about["id"] != record.id:
                expected = "stale"
            elif complete:
                expected = "done"
            elif failure and (not failure["retry"] or failure["attempts"] > MAX_FAILURES):
                expected = "failed"
            else:
                expected = "partial" if whole else "todo"
            assert state == expected
            assert folder.has_checkpoint >= bool(whole)
        assert self.in_archive() == self.archived

    def teardown(self) -> None:
        self.faults.left = None


def prepare(machine: type[Histories], root: Path, monkeypatch: pytest.MonkeyPatch) -> Faults:
    """Let the machine work below `root`, with trials that cost nothing; returns what counts its file operations."""
    seconds = itertools.count()
    monkeypatch.setattr(
        "orchestrator.results.store.time", SimpleNamespace(strftime=lambda _: f"{next(seconds):06}")
    )
    monkeypatch.setattr("trainable.trial.session.Trial", FakeTrial)
    monkeypatch.setattr("trainable.trial.session.fingerprint", lambda trial: {"code": "c"})
    events = SimpleNamespace(add=lambda row: None, close=lambda done: None)
    monkeypatch.setattr("trainable.trial.session.Events", lambda *arguments: events)
    machine.root, machine.faults = root, Faults(monkeypatch)
    return machine.faults


def explore(machine: type[Histories], examples: int) -> None:
    """Run so many random histories of twelve steps, always the same ones."""
    how = settings(
        max_examples=examples,
        stateful_step_count=12,
        deadline=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    run_state_machine_as_test(machine, settings=how)
