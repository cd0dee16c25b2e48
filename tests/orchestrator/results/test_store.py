"""A study's folder: the plan, states from files alone, and trials that move without ever being lost."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from analysis.results.study_folder import State
from analysis.results.study_plan import NoStudy, StudyPlan, TrialRecord
from orchestrator.results.store import Store
from orchestrator.scheduling.renamed_trials import renamed
from tests.orchestrator.folders import SUMMARY
from trainable.storage.trial_folder import TrialFolder


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "s")


def record(arm: str, id: str = "id", seed: int = 0, setting: str | None = None) -> TrialRecord:
    return TrialRecord(id, setting, arm, seed, family="arms", baseline="baseline", epochs=3)


def begin(store: Store, trial: TrialRecord, id: str | None = None) -> TrialFolder:
    """Claim the trial's folder and say whose it is; `id` for another trial than planned."""
    folder = store.folder(trial)
    folder.claim()
    folder.write_json("trial.json", {"id": id or trial.id})
    return folder


def done(store: Store, trial: TrialRecord) -> None:
    folder = begin(store, trial)
    folder.finish({**SUMMARY, "by": trial.id})
    folder.release()


def fail(folder: TrialFolder, retry: bool, attempts: int) -> None:
    folder.write_json(
        "failure.json", {"kind": "k", "message": "m", "retry": retry, "attempts": attempts}
    )


def state(store: Store, trial: TrialRecord, max_failures: int = 2) -> State:
    return store.states([trial], max_failures)[trial]


def holders(store: Store) -> dict[str, str]:
    """Which trial's results each folder below `runs/` holds, by the folder's name."""
    found = store.runs.rglob("summary.json")
    return {
        file.parent.relative_to(store.runs).as_posix(): json.loads(file.read_bytes())["by"]
        for file in found
    }


# --- states ---


def test_a_trial_without_a_folder_is_todo(store):
    assert state(store, record("a")) == "todo"


def test_a_trial_that_was_begun_and_kept_no_checkpoint_is_todo(store):
    begin(store, record("a")).append_row({"epoch": 1})
    assert state(store, record("a")) == "todo"


def test_a_trial_with_a_checkpoint_is_partial(store):
    begin(store, record("a")).save_checkpoint(b"state")
    assert state(store, record("a")) == "partial"


def test_a_trial_with_only_the_older_checkpoint_is_partial(store):
    folder = begin(store, record("a"))
    folder.write("checkpoint.prev.pt", b"state")
    assert state(store, record("a")) == "partial"


def test_a_trial_with_a_summary_is_done(store):
    done(store, record("a"))
    assert state(store, record("a")) == "done"


@pytest.mark.parametrize(
    ("retry", "attempts", "max_failures", "expected"),
    [
        (False, 1, 2, "failed"),
        (True, 1, 0, "failed"),
        (True, 1, 1, "partial"),
        (True, 2, 2, "partial"),
        (True, 3, 2, "failed"),
    ],
)
def test_a_failure_counts_once_it_may_not_be_tried_again(
    store, retry, attempts, max_failures, expected
):
    folder = begin(store, record("a"))
    folder.save_checkpoint(b"state")
    fail(folder, retry, attempts)
    assert state(store, record("a"), max_failures) == expected


def test_a_trial_that_failed_and_was_done_later_is_done(store):
    folder = begin(store, record("a"))
    fail(folder, retry=True, attempts=1)
    folder.finish({**SUMMARY, "by": "id"})
    assert state(store, record("a")) == "done"


def test_a_forgotten_failure_may_be_tried_again_from_its_checkpoint(store):
    folder = begin(store, record("a"))
    folder.save_checkpoint(b"state")
    fail(folder, retry=False, attempts=1)
    store.forget_failures([record("a"), record("never begun")])
    assert state(store, record("a")) == "partial"


@pytest.mark.parametrize("end", ["nothing", "checkpoint", "failure", "summary"])
def test_a_folder_of_another_trial_is_stale_however_far_it_came(store, end):
    folder = begin(store, record("a"), id="other")
    if end == "checkpoint":
        folder.save_checkpoint(b"state")
    elif end == "failure":
        fail(folder, retry=False, attempts=1)
    elif end == "summary":
        folder.finish({**SUMMARY, "by": "other"})
    assert state(store, record("a")) == "stale"


def test_a_trial_is_running_while_the_study_is_locked_and_its_owner_lives(store):
    folder = begin(store, record("a"))
    folder.save_checkpoint(b"state")
    assert state(store, record("a")) == "partial", "nobody runs the study"
    with store.lock():
        assert state(store, record("a")) == "running"
        folder.release()
        assert state(store, record("a")) == "partial", "nobody runs the trial"
    assert state(store, record("a")) == "partial"


def test_a_trial_whose_owner_died_is_not_running(store):
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    folder = begin(store, record("a"))
    owner = {**folder.owner, "pid": int(child.stdout)}
    folder.write_json("owner.json", owner)
    with store.lock():
        assert state(store, record("a")) == "todo"


def test_an_owner_on_another_host_has_the_benefit_of_the_doubt(store):
    folder = begin(store, record("a"))
    folder.write_json("owner.json", {**folder.owner, "host": "elsewhere", "pid": 2**30})
    with store.lock():
        assert state(store, record("a")) == "running"
    assert state(store, record("a")) == "todo"


def test_a_trial_that_ended_is_not_running_though_its_owner_lives(store):
    begin(store, record("a")).finish({**SUMMARY, "by": "id"})
    with store.lock():
        assert state(store, record("a")) == "done"


def test_states_keep_the_order_and_the_settings_apart(store):
    trials = [
        record("a", "1", setting="y"),
        record("a", "2", setting="x"),
        record("a", "1", 7, "y"),
    ]
    done(store, trials[1])
    assert list(store.states(trials, 2).items()) == list(
        zip(trials, ["todo", "done", "todo"], strict=True)
    )


# --- the plan ---


def test_a_plan_is_read_as_it_was_written(store):
    trials = [
        TrialRecord("1", None, "baseline", 0, None, None, 3),
        TrialRecord("2", "x", "a=1", 7, "arms", None, 4),
    ]
    store.write_plan("name: s  # ü\n", StudyPlan("s", 5, trials))
    plan = store.read_plan()
    assert (plan.study, plan.max_failures, plan.records) == ("s", 5, trials)
    assert (store.root / "study.yaml").read_text(encoding="utf-8") == "name: s  # ü\n"


def test_a_plan_names_each_folder_for_the_analysis(store):
    store.write_plan("", StudyPlan("s", 2, [record("a", seed=3), record("a", setting="x")]))
    plan = json.loads((store.root / "trials.json").read_bytes())
    assert [trial["folder"] for trial in plan["trials"]] == ["runs/a/seed=3", "runs/x/a/seed=0"]
    assert store.root / plan["trials"][1]["folder"] == store.folder(record("a", setting="x")).path


def test_a_new_plan_replaces_the_old_one_and_leaves_the_runs_alone(store):
    done(store, record("a"))
    store.write_plan("", StudyPlan("s", 2, [record("a")]))
    store.write_plan("", StudyPlan("s", 2, [record("b")]))
    assert store.read_plan().records == [record("b")]
    assert holders(store) == {"a/seed=0": "id"}


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"{}",
        b'{"study": "s", "max_failures": 2}',
        b'{"study": "s", "max_failures": 2, "trials": null}',
        b'{"study": "s", "max_failures": 2, "trials": [3]}',
        b'{"study": "s", "max_failures": 2, "trials": [{"id": "1"}]}',
        b'{"study": "s", "trials": []}',
    ],
)
def test_a_damaged_plan_is_no_study(store, content):
    store.root.mkdir()
    (store.root / "trials.json").write_bytes(content)
    with pytest.raises(NoStudy, match=r"trials\.json"):
        store.read_plan()


def test_a_folder_without_a_plan_a_missing_one_and_a_file_are_no_study(tmp_path):
    (tmp_path / "file").touch()
    for place in (tmp_path, tmp_path / "nowhere", tmp_path / "file"):
        with pytest.raises(NoStudy, match=place.name):
            Store(place).read_plan()


# --- moving ---


def adopt(store: Store, records: list[TrialRecord]) -> list[tuple[str, str]]:
    """Move trials that the study has under another name now, as a run does; (old, new) names."""
    moves = renamed(records, store.snapshot(records).files)
    store.rename(moves)
    return list(moves.items())


def test_a_done_trial_follows_its_new_name(store):
    done(store, record("old"))
    assert adopt(store, [record("new", seed=1, setting="x")]) == [("old/seed=0", "x/new/seed=1")]
    assert holders(store) == {"x/new/seed=1": "id"}
    assert not (store.runs / "old").exists(), "no empty folder is left"


def test_a_trial_in_its_place_is_left_there(store):
    done(store, record("a"))
    assert adopt(store, [record("a"), record("b", "other")]) == []
    assert holders(store) == {"a/seed=0": "id"}


def test_nothing_is_adopted_before_the_first_run(store):
    assert adopt(store, [record("a")]) == []
    assert not store.root.exists()


def test_a_trial_that_is_not_done_is_not_moved(store):
    begin(store, record("old")).save_checkpoint(b"state")
    assert adopt(store, [record("new")]) == []
    assert state(store, record("old")) == "partial"


def test_trials_whose_names_were_swapped_change_places(store):
    done(store, record("a", "1"))
    done(store, record("b", "2"))
    moved = adopt(store, [record("a", "2"), record("b", "1")])
    assert sorted(moved) == [("a/seed=0", "b/seed=0"), ("b/seed=0", "a/seed=0")]
    assert holders(store) == {"a/seed=0": "2", "b/seed=0": "1"}


def test_trials_move_up_into_places_that_others_leave(store):
    for arm, id in ("a", "1"), ("b", "2"), ("c", "3"):
        done(store, record(arm, id))
    adopt(store, [record("b", "1"), record("c", "2"), record("d", "3")])
    assert holders(store) == {"b/seed=0": "1", "c/seed=0": "2", "d/seed=0": "3"}


def occupy(store: Store, trial: TrialRecord, how: str) -> TrialFolder:
    """Put something into a trial's folder that is not that trial."""
    folder = begin(store, trial, id="other")
    if how == "done":
        folder.finish({**SUMMARY, "by": "other"})
    elif how == "partial":
        folder.save_checkpoint(b"state")
    elif how == "without a readable trial.json":
        (folder.path / "trial.json").write_bytes(b"")
    return folder


@pytest.mark.parametrize("how", ["done", "partial", "without a readable trial.json"])
def test_a_trial_never_moves_onto_another(store, how):
    done(store, record("old"))
    occupied = occupy(store, record("new"), how)
    before = snapshot(occupied.path)
    assert adopt(store, [record("new")]) == []
    assert snapshot(occupied.path) == before
    assert holders(store)["old/seed=0"] == "id"


def test_a_trial_whose_place_is_kept_by_one_that_cannot_move_stays_too(store):
    done(store, record("a", "1"))
    done(store, record("b", "2"))
    occupy(store, record("c"), "partial")
    assert adopt(store, [record("b", "1"), record("c", "2")]) == []
    assert holders(store) == {"a/seed=0": "1", "b/seed=0": "2"}


def snapshot(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


class Crash(Exception):
    """Stands for the death of the process."""


@pytest.mark.parametrize("moves", range(4))
def test_a_crash_between_two_moves_loses_nothing_and_is_mended_by_the_next_run(
    store, monkeypatch, moves
):
    done(store, record("a", "1"))
    done(store, record("b", "2"))
    planned = [record("a", "2"), record("b", "1")]
    rename, made = Path.rename, []

    def until_the_crash(self: Path, target: Path) -> Path:
        if len(made) == moves:
            raise Crash
        made.append(target)
        return rename(self, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", until_the_crash)
        with pytest.raises(Crash):
            adopt(store, planned)
    assert sorted(holders(store).values()) == ["1", "2"]
    adopt(store, planned)
    assert holders(store) == {"a/seed=0": "2", "b/seed=0": "1"}
    assert not (store.runs / ".moving").exists()


def test_archived_trials_move_aside_whole_and_are_todo_again(store):
    kept, aside = record("kept"), record("aside", setting="x")
    done(store, kept)
    done(store, aside)
    before = snapshot(store.folder(aside).path)
    target = store.set_aside([aside.name])
    assert target.parent == store.root / "archive"
    assert snapshot(target / aside.name) == before
    assert states(store, [kept, aside]) == ["done", "todo"]
    assert not (store.runs / "x").exists(), "no empty folder is left"


def states(store: Store, trials: Iterable[TrialRecord]) -> list[State]:
    return list(store.states(trials, 2).values())


def test_trials_that_left_the_study_are_listed_by_name(store):
    for trial in (
        record("a"),
        record("gone", seed=1),
        record("a", setting="x"),
        record("gone", seed=0),
    ):
        done(store, trial)
    begin(store, record("half"))
    assert store.uncounted([record("a"), record("b")]) == [
        "gone/seed=0",
        "gone/seed=1",
        "half/seed=0",
        "x/a/seed=0",
    ]
    assert store.uncounted([]) == [
        "a/seed=0",
        "gone/seed=0",
        "gone/seed=1",
        "half/seed=0",
        "x/a/seed=0",
    ]


def test_a_trial_that_a_scheduler_stopped_is_stopped_unless_it_is_done_or_stale(store):
    trials = [record(name, id=name) for name in ("partial", "done", "stale")]
    for trial in trials:
        folder = begin(store, trial, "other" if trial.arm == "stale" else None)
        folder.save_checkpoint(b"state")
        folder.stop(2, "asha")
        if trial.arm == "done":
            folder.finish(SUMMARY)
        folder.release()
    assert list(store.states(trials, 0).values()) == ["stopped", "done", "stale"]
