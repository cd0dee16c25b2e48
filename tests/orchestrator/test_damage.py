"""Each file of a results folder, damaged in many ways: told by every command, and never used."""

import random
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.results.read import Results, read_results
from analysis.results.study_plan import NoStudy
from analysis.results.study_record import read_record
from orchestrator.execution.interrupts import Stop
from orchestrator.results import provenance
from orchestrator.results.store import Store
from orchestrator.run.registration import register
from orchestrator.study.load import load_study
from tests.orchestrator.folders import SUMMARY
from tests.orchestrator.runs import in_place_of_ray
from tests.orchestrator.toy import begin, opened, peak, run, write
from trainable.config.runtime import Machine
from trainable.storage.rows import read_rows
from trainable.trial.session import Session

STUDY = """
name: tiny
seeds: [0, 1]
base:
  noise: {name: symmetric, rate: 0.4}
  model: {name: small_cnn, width: 4}
  train: {epochs: 3, batch_size: 256}
  method: {warmup_epochs: 1}
arms:
  plain: {method.name: cross_entropy}
  again: {method.name: retrain, from_arm: baseline}
"""
DONE = {"baseline/seed=0", "baseline/seed=1", "plain/seed=0", "again/seed=0"}
PARTIAL = "plain/seed=1"
FLIPS = 20
OLD = Path(__file__).parents[1] / "fixtures" / "results_1ada2c1"


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `tiny.yaml` and its results: four trials done, one failed and partial, one to do.

    The trial to do needs the weights of one that is done.
    """
    folder = tmp_path_factory.mktemp("damage")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda descriptor: None)
        study_file = folder / "tiny.yaml"
        study_file.write_text(STUDY)
        study = load_study(study_file)
        store = Store(folder / "results" / "tiny")
        store.write_plan(study.text, study.plan)
        register(study, store)
        provenance.record(store.root)
        for trial in study.trials:
            if trial.record.name in DONE | {PARTIAL}:
                machine = Machine(study_dir=folder, source_dir=store.source_dir(trial.record))
                train(trial.config, store.folder(trial.record).path, machine, trial.record.name)
    return folder


def train(config: Any, path: Path, machine: Machine, name: str) -> None:
    session = Session(config, path, machine)
    while not session.finished:
        session.advance()
        if name == PARTIAL and session.trial is not None and session.trial.epoch == 2:
            session.folder.fail("RuntimeError", "on purpose", "", retry=True)
            break
    session.close()


@pytest.fixture(autouse=True)
def workplace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without figures, without waiting for the disk, and without training in `run`."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)
    monkeypatch.setattr("analysis.report.write._pictures", lambda *arguments: [])
    # Of a search: its figures and the importance of its parameters take seconds a report.
    monkeypatch.setattr("analysis.report.search._pictures", lambda *arguments: [])
    monkeypatch.setattr(
        "analysis.stats.search_importance.importance",
        lambda study: pd.DataFrame(columns=["parameter"]),
    )
    monkeypatch.setenv("PATH", "")  # no git


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `run` train nothing."""
    in_place_of_ray(monkeypatch, lambda *arguments: Stop())


# --- damage ---


@dataclass(frozen=True)
class Damage:
    """A change of a file; `apply` returns its new content, None to delete it."""

    name: str
    apply: Callable[[bytes, random.Random], bytes | None]


def flipped(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(max(1, len(content)))
    return (
        content[:place]
        + bytes([(content + b"\0")[place] ^ 1 << rng.randrange(8)])
        + content[place + 1 :]
    )


def with_nan(content: bytes, rng: random.Random) -> bytes:
    numbers = list(re.finditer(rb"(?<=[:\[ ])-?\d+(\.\d+)?(?=[,\]}\n])", content))
    if not numbers:
        return b"NaN"
    chosen = rng.choice(numbers)
    return content[: chosen.start()] + b"NaN" + content[chosen.end() :]


def without_a_line(content: bytes, rng: random.Random) -> bytes:
    lines = content.splitlines(keepends=True)
    lost = rng.randrange(max(1, len(lines)))
    return b"".join(lines[:lost] + lines[lost + 1 :])


DAMAGES = [
    Damage("truncated", lambda content, rng: content[: rng.randrange(max(1, len(content)))]),
    *(Damage("a bit flipped", flipped) for _ in range(FLIPS)),
    Damage("empty", lambda content, rng: b""),
    Damage("deleted", lambda content, rng: None),
    Damage("[]", lambda content, rng: b"[]"),
    Damage("{}", lambda content, rng: b"{}"),
    Damage("7", lambda content, rng: b"7"),
    Damage("a number is NaN", with_nan),
    Damage("a line is lost", without_a_line),
    Damage("another encoding", lambda content, rng: content.decode("latin1").encode("utf-16")),
]


def damageable(root: Path) -> list[Path]:
    """Every file below a results folder, relative to it."""
    return sorted(file.relative_to(root) for file in root.rglob("*") if file.is_file())


def inflict(root: Path, file: Path, damage: Damage, rng: random.Random) -> None:
    path = root / file
    content = damage.apply(path.read_bytes(), rng)
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)


# --- what may be believed ---


@dataclass(frozen=True)
class Truth:
    """A results folder before it was damaged."""

    results: Results
    rows: dict[str, list[dict[str, Any]]]
    samples: dict[str, dict[str, np.ndarray]]
    runs: list[dict[str, Any]]

    @classmethod
    def of(cls, root: Path) -> "Truth":
        found = read_results(root)
        rows = {folder: read_rows(root / folder) for folder in found.done["folder"]}
        samples = {folder: found.samples({"folder": folder}) for folder in found.done["folder"]}
        return cls(found, rows, samples, read_record(root).runs)

    def check(self, root: Path, changed: set[Path]) -> set[str]:
        """Compare a damaged folder; return the folders of the trials that are done.

        What is called done is as it was, and what was not touched is done.
        """
        found = read_results(root)
        now = found.done.set_index("folder")
        before = self.results.done.set_index("folder")
        assert set(now.index) <= set(before.index)
        for folder in now.index:
            assert known(now.loc[folder]) == known(before.loc[folder])
            assert read_rows(root / folder) == self.rows[folder]
            for name, array in found.samples({"folder": folder}).items():
                np.testing.assert_array_equal(array, self.samples[folder][name])
        touched = {file.parent.as_posix() for file in changed}
        lost = set(before.index) - set(now.index) - touched
        assert not lost, "an undamaged trial is lost"
        return set(now.index)


Command = Callable[..., tuple[int, str, str]]


def known(trial: pd.Series) -> dict[str, str]:
    """A trial's fields."""
    return {name: repr(value) for name, value in trial.dropna().items()}


def examine(truth: Truth, place: Path, changed: set[Path], command: Command, report: bool) -> None:
    """Call what reads results, then `run`: a sentence at most, and no damage that is believed."""
    root = place / "results" / "tiny"
    reading = [["status", root]]
    if report:
        reading += [["report", root], ["bundle", root, place / "b.tar.xz"]]
    for arguments in reading:
        code, out, err = command(*arguments)
        assert (code, bool(err)) in ((0, False), (2, True)), out + err
    of_study = [place / "tiny.yaml", "--results", place / "results"]
    code, out, err = command("plan", *of_study)
    assert code == 0, out + err
    try:
        truth.check(root, changed)
        assert all(run in truth.runs for run in read_record(root).runs)
    except NoStudy:
        assert Path("trials.json") in changed
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("analysis.report.write.write", lambda results: [])
        code, out, err = command("run", *of_study, "--stale", "archive")
    assert code == 1, out + err
    truth.check(root, changed)


def explore(results: Path, tmp_path: Path, command: Command, every: int, pairs: int) -> int:
    """Damage one file, or two; return the number of cases."""
    rng = random.Random(0)
    truth = Truth.of(results / "results" / "tiny")
    files = damageable(results / "results" / "tiny")
    cases = [[(file, damage)] for file in files for damage in DAMAGES][::every]
    cases += [[(file, rng.choice(DAMAGES)) for file in rng.sample(files, 2)] for _ in range(pairs)]
    for case in cases:
        place = tmp_path / "place"
        shutil.copytree(results, place)
        for file, damage in case:
            inflict(place / "results" / "tiny", file, damage, rng)
        changed = {file for file, _ in case}
        try:
            examine(truth, place, changed, command, report=len(case) == 1)
        except BaseException as error:
            error.add_note(", ".join(f"{file}: {damage.name}" for file, damage in case))
            raise
        shutil.rmtree(place)
    return len(cases)


@pytest.mark.usefixtures("untrained")
def test_damage_is_told_and_no_undamaged_trial_is_lost(results, tmp_path, command):
    assert explore(results, tmp_path, command, every=97, pairs=4) > 7


@pytest.mark.nightly
@pytest.mark.usefixtures("untrained")
def test_damage_of_every_file_in_every_way_is_told(results, tmp_path, command):
    print(f"\n{explore(results, tmp_path, command, every=1, pairs=2000)} cases")


# --- results of other kinds: a sentence at most ---


def answers(root: Path, command: Command) -> None:
    for arguments in (
        ["status", root],
        ["report", root],
        ["bundle", root, root.parent / "b.tar.xz"],
    ):
        code, out, err = command(*arguments)
        assert (code, bool(err)) in ((0, False), (2, True)), out + err


def each_damage(source: Path, tmp_path: Path, every: int, check: Callable[[Path], None]) -> int:
    """Call `check` on damaged copies of a results folder; return their number."""
    rng = random.Random(1)
    cases = [(file, damage) for file in damageable(source) for damage in DAMAGES][::every]
    for file, damage in cases:
        root = tmp_path / "copy" / source.name
        shutil.copytree(source, root)
        inflict(root, file, damage, rng)
        try:
            check(root)
        except BaseException as error:
            error.add_note(f"{file}: {damage.name}")
            raise
        shutil.rmtree(root)
    return len(cases)


def test_damage_of_results_without_checksums_is_a_sentence(tmp_path, command):
    assert each_damage(OLD / "small", tmp_path, 61, lambda root: answers(root, command)) > 5


@pytest.mark.nightly
def test_every_damage_of_results_without_checksums_is_a_sentence(tmp_path, command):
    print(f"\n{each_damage(OLD / 'small', tmp_path, 1, lambda root: answers(root, command))} cases")


@pytest.fixture
def searched(tmp_path: Path) -> Path:
    """A study file of a search, and beside it its results, half of them confirmed."""
    study_file = write(tmp_path, scheduler="{name: asha, grace_period: 1}", trials=6)
    study, searches = opened(study_file, tmp_path / "results" / "toy")
    run(searches)
    assert study.search is not None
    confirmation = study.search.confirmations(searches.winners())
    planned = replace(study, trials=confirmation)
    searches.store.write_plan(study.text, planned.plan)
    for trial in confirmation[::2]:
        folder = begin(searches.store, trial)
        for epoch in range(1, trial.record.epochs + 1):
            folder.append_row({"epoch": epoch, "val/accuracy": peak(trial.config, epoch)})
        folder.finish({**SUMMARY, "test/accuracy_last10": 50.0 + trial.record.seed})
        folder.release()
    return study_file


def search_answers(root: Path, study_file: Path, command: Command) -> None:
    """Call what reads a search's results, and reconcile them, as `run` does first."""
    answers(root, command)
    code, out, err = command("plan", study_file, "--results", root.parent)
    assert code == 0, out + err
    opened(study_file, root)


def test_damage_of_a_search_is_a_sentence(searched, tmp_path, command):
    root = searched.parent / "results" / "toy"
    damaged = tmp_path / "damaged"
    assert each_damage(root, damaged, 301, lambda copy: search_answers(copy, searched, command)) > 2


@pytest.mark.nightly
def test_every_damage_of_a_search_is_a_sentence(searched, tmp_path, command):
    root = searched.parent / "results" / "toy"
    damaged = tmp_path / "damaged"
    print(
        each_damage(root, damaged, 1, lambda copy: search_answers(copy, searched, command)), "cases"
    )
