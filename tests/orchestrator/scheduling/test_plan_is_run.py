"""For any results folder that crashes can leave: what `plan` prints is what `run` does."""

import json
import sys
from collections import Counter
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import rule

from orchestrator.cli import app
from orchestrator.execution.interrupts import Stop
from orchestrator.study.load import load_study
from tests.orchestrator.results.histories import (
    CONFIGS,
    EPOCHS,
    IDS,
    MAX_FAILURES,
    NAMES,
    Histories,
    explore,
    prepare,
)
from tests.orchestrator.runs import in_place_of_ray

REFUSED, WRONG = 3, 2
ENDS = st.sampled_from(["as it is", "as it is", "complete", "give up"])
"""What happens to a trial before the study is planned."""
PLACES = ["a", "b", "c", "baseline", "later"]


def study(names: list[str]) -> str:
    """A study in which the two trials of the histories have these names; a third one depends on the first."""
    first, second = (config.train.lr for config in CONFIGS)
    return f"""
name: s
seeds: [0]
base: {{train: {{epochs: {EPOCHS}}}, method: {{warmup_epochs: 1}}}}
arms:
  {names[0]}: {{train.lr: {first}}}
  {names[1]}: {{train.lr: {second}}}
  later: {{method.name: retrain, from_arm: {names[0]}}}
run: {{max_failures: {MAX_FAILURES}}}
"""


class PlannedRuns(Histories):
    """Histories in which the study is planned and run, under other names and options each time."""

    executed: list[str]
    outcomes: Counter[str]
    command: Any

    @rule(
        ends=st.tuples(ENDS, ENDS),
        names=NAMES,
        arms=st.sets(st.sampled_from(PLACES), max_size=2),
        stale=st.sampled_from(["refuse", "archive"]),
        same_code=st.sampled_from([False, False, False, True]),
        retry=st.booleans(),
    )
    def run(
        self,
        ends: tuple[str, str],
        names: list[str],
        arms: set[str],
        stale: str,
        same_code: bool,
        retry: bool,
    ) -> None:
        for number, end in enumerate(ends):
            if end == "complete":
                self.train(number, EPOCHS, None)
            elif end == "give up":
                self.fail(number, retry=False, fault=None)
        self.die()
        self.names, self.settled = names[:2], False
        file = self.store.root.parent / "s.yaml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(study(self.names))
        chosen = sorted(arms & {*self.names, "baseline", "later"})
        options = ["--results", str(file.parent), "--stale", stale]
        options += ["--arms", ",".join(chosen)] * bool(chosen)
        options += ["--same-code"] * same_code + ["--retry-failed"] * retry

        assert [trial.record.id for trial in load_study(file).trials][1:3] == IDS
        before, content = self.folders(), self.everything()
        code, printed = self.command("plan", str(file), "--json", *options)
        assert code == 0
        assert (self.folders(), self.everything()) == (before, content), (
            "plan has changed something"
        )
        planned = json.loads(printed)

        self.executed.clear()
        code, _ = self.command("run", str(file), *options)
        after = self.folders()
        if planned["problems"] or planned["refused"]:
            assert code == (WRONG if planned["problems"] else REFUSED)
            assert (self.executed, after, self.everything()) == ([], before, content)
            self.outcomes["refused"] += 1
            return
        assert sorted(self.executed) == sorted(planned["train"])
        archived = {name: before[name] for name in planned["archive"]}
        assert sorted(archived.values()) == sorted(self.inodes_in_archive() - self.known)
        self.known |= {*archived.values()}
        moved = {new: before[old] for old, new in planned["move"].items()}
        stayed = {
            name: inode
            for name, inode in before.items()
            if name not in {*archived, *planned["move"]}
        }
        assert after == stayed | moved
        for name in planned["forget_failures"]:
            folder = self.store.runs / name
            assert not (folder / "failure.json").exists()
            self.slot(folder).attempts = 0, 0
        self.settled, self.archived = True, self.in_archive()
        for what in ("train", "move", "archive", "forget_failures", "blocked"):
            self.outcomes[what] += bool(planned[what])

    def __init__(self) -> None:
        super().__init__()
        self.known: set[int] = set()
        """Inodes of the folders that runs have archived."""

    def folders(self) -> dict[str, int]:
        """Every trial folder below `runs/` that says what was trained in it: its name and inode."""
        found = self.store.runs.rglob("seed=*/trial.json")
        return {
            file.parent.relative_to(self.store.runs).as_posix(): file.parent.stat().st_ino
            for file in found
        }

    def inodes_in_archive(self) -> set[int]:
        return {folder.stat().st_ino for folder in (self.store.root / "archive").rglob("seed=*")}

    @rule()
    def archive(self, fault: Any = None) -> None:
        """Only runs archive here, and only they move, so that they have something to do."""

    @rule()
    def adopt(self, names: Any = None, fault: Any = None) -> None:
        if not self.settled:  # asked by a step that trains
            super().adopt(list(self.names), None)


@pytest.fixture
def machine(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> type[PlannedRuns]:
    """The state machine, with a run that is interrupted as soon as it has been given its trials."""

    def command(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["orchestrator", *arguments])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            app.main()
        return int(end.value.code or 0), capsys.readouterr().out

    def execute(plan: Any, store: Any, source: Any, machine: Any, view: Any) -> Any:
        executed.extend(trial.record.name for trial in source.waiting)
        return Stop(signal=2)

    executed: list[str] = []
    in_place_of_ray(monkeypatch, execute)
    monkeypatch.setattr("orchestrator.run.run_study.show_end", lambda *arguments: None)
    monkeypatch.setattr("orchestrator.results.provenance.record", lambda root: None)
    PlannedRuns.command, PlannedRuns.executed, PlannedRuns.outcomes = (
        staticmethod(command),
        executed,
        Counter(),
    )
    return PlannedRuns


def test_what_plan_prints_is_what_run_does(machine, tmp_path, monkeypatch):
    prepare(machine, tmp_path, monkeypatch)
    explore(machine, examples=25)


@pytest.mark.slow
def test_what_plan_prints_is_what_run_does_in_many_folders(machine, tmp_path, monkeypatch):
    prepare(machine, tmp_path, monkeypatch)
    explore(machine, examples=300)
    for what in ("refused", "train", "move", "archive", "forget_failures", "blocked"):
        assert machine.outcomes[what] > 5, f"{what} was hardly ever seen: {machine.outcomes}"
