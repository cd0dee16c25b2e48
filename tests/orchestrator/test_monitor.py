"""What a person sees: tables that fit a terminal, one line a finished trial elsewhere, the time that is left."""

import io
import itertools
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from orchestrator import monitor
from orchestrator.monitor import METRIC, Arms, View, duration, failures, mean_sd, status_table
from orchestrator.store import STATES, Store, TrialRecord
from orchestrator.study import load

STUDIES = Path(__file__).parents[2] / "studies"
SUMMARY = {METRIC: 95.834, "time/epoch_s": 12.34}


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of folders are made here, and none has to survive a power cut."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "s")


def record(arm: str, seed: int = 0, epochs: int = 10, setting: str | None = None) -> TrialRecord:
    return TrialRecord(f"{setting}-{arm}-{seed}", setting, arm, seed, "arms", "baseline", epochs)


def make(store: Store, trial: TrialRecord, state: str, accuracy: float = 95.834) -> None:
    """Leave the trial's folder as a trial in this state leaves it: three epochs, unless it is done."""
    if state == "todo":
        return
    folder = store.folder(trial)
    folder.claim()
    folder.write_json("trial.json", {"id": "other" if state == "stale" else trial.id})
    for epoch in 1, 2, 3:  # how many rows a done trial has does not matter here
        folder.append_row({"epoch": epoch})
    if state in ("done", "stale"):
        folder.finish({**SUMMARY, METRIC: accuracy})
    elif state == "failed":
        folder.write_json("failure.json", {"kind": "data", "message": "it broke", "retry": False, "attempts": 1})
    else:
        folder.save_checkpoint(b"state")
    folder.release()


def lines(*shown: Any, width: int = 80) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(*shown)
    return [line.rstrip() for line in console.export_text().splitlines()]


@pytest.mark.parametrize(
    ("values", "shown"),
    [([], ""), ([95.834], "95.83"), ([1.0, 3.0], "2.00 ± 1.41"), ([5.0, 5.0, 5.0], "5.00 ± 0.00")],
)
def test_mean_and_sd_show_what_there_is(values, shown):
    assert mean_sd(values) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0, "0 s"),
        (40.4, "40 s"),
        (60, "1 min"),
        (719, "12 min"),
        (3569, "59 min"),
        (3599, "1 h 00 min"),
        (3600 * 3 + 300, "3 h 05 min"),
        (3600 * 30, "30 h 00 min"),
    ],
)
def test_a_duration_is_in_units_for_people(seconds, shown):
    assert duration(seconds) == shown


# --- tables ---


def test_the_status_table_counts_states_epochs_and_accuracies_by_arm(store):
    trials = [record("baseline", seed) for seed in range(4)] + [record("a", seed) for seed in range(4)]
    states = dict(zip(trials, ["done", "done", "partial", "todo", "stale", "failed", "todo", "todo"], strict=True))
    for k, (trial, state) in enumerate(states.items()):
        make(store, trial, state, accuracy=90 + k)
    table = [line.split() for line in lines(status_table(store, trials, states))]
    assert table[0][:7] == ["arm", "done", "partial", "failed", "stale", "todo", "epochs"]
    assert table[1:] == [
        ["baseline", "2", "1", "1", "23/40", "90.50", "±", "0.71"],
        ["a", "1", "1", "2", "3/40"],
    ]


@pytest.mark.parametrize("without", ["running", "stale"])  # a study that runs has no stale trials
@pytest.mark.parametrize("study", ["ablation", "cifar10_ablation"])
def test_the_status_table_fits_80_columns_with_every_state_that_can_occur_at_once(store, study, without):
    trials = [trial.record for trial in load(STUDIES / f"{study}.yaml").trials]
    impossible = (without, "stopped", "blocked")  # a search's only; only where trials use others
    possible = itertools.cycle(state for state in STATES if state not in impossible)
    states = dict(zip(trials, possible, strict=False))
    for trial, state in states.items():
        if state == "done":
            make(store, trial, state, accuracy=80 + trial.seed)
    assert_whole(lines(status_table(store, trials, states)), trials)


@pytest.mark.parametrize("study", ["ablation", "cifar10_ablation"])
def test_the_live_table_fits_80_columns(store, study):
    trials = [trial.record for trial in load(STUDIES / f"{study}.yaml").trials]
    for trial in trials:
        make(store, trial, "failed" if trial.seed == 3 else "done", accuracy=80 + trial.seed)
    running = {trial.name: 3 for trial in trials if trial.seed == 4}
    assert_whole(lines(Arms(store, trials).table(running)), trials)


def assert_whole(shown: list[str], trials: list[TrialRecord]) -> None:
    """No line is longer than 80 columns, no arm is missing and nothing was cut to fit."""
    assert max(map(len, shown)) <= 80
    arms = {f"{trial.setting}/{trial.arm}" if trial.setting else trial.arm for trial in trials}
    assert {line.split()[0] for line in shown[1:]} == arms
    assert [line for line in shown if "…" in line] == []
    assert any("±" in line for line in shown)


def test_the_live_table_counts_done_running_and_failed_trials_of_each_setting_and_arm(store):
    trials = [record(arm, seed, setting=setting) for setting in "xy" for arm in "ab" for seed in range(2)]
    make(store, trials[0], "done", 90)
    make(store, trials[1], "done", 92)
    make(store, trials[2], "failed")
    make(store, trials[4], "stale")
    arms = Arms(store, trials)
    running = {"x/b/seed=1": 3, "y/a/seed=0": 1, "y/a/seed=1": 1}
    table = [line.split() for line in lines(arms.table(running))]
    assert table[1:] == [
        ["x/a", "2/2", "91.00", "±", "1.41"],
        ["x/b", "0/2", "1", "1"],
        ["y/a", "0/2", "2"],
        ["y/b", "0/2"],
    ]


def test_failures_have_name_kind_and_message(store):
    trials = [record("a"), record("b"), record("c")]
    states = dict(zip(trials, ["failed", "done", "todo"], strict=True))
    for trial, state in states.items():
        make(store, trial, state)
    assert failures(store, states) == [{"name": "a/seed=0", "kind": "data", "message": "it broke"}]


# --- the view of a run ---


def plain_view(store: Store, trials: list[TrialRecord]) -> tuple[View, Callable[[], list[str]]]:
    """A view on something that is no terminal, and the lines that it has printed."""
    file = io.StringIO()
    view = View(Console(file=file, width=200, force_terminal=False), store, trials, trials)
    return view, lambda: file.getvalue().splitlines()


def test_without_a_terminal_each_trial_that_ends_is_one_line(store):
    trials = [record("done"), record("failed", epochs=20), record("partial")]
    view, printed = plain_view(store, trials)
    with view:
        for trial in trials:
            view.started(trial.name)
            make(store, trial, trial.arm)
            view.ended(trial.name)
            view.ended(trial.name)  # Tune may report an end twice
    assert printed() == [
        f"[1/3] done/seed=0: {METRIC} 95.83 in 12.3 s",
        "[2/3] failed/seed=0: failed: data: it broke",
        "[3/3] partial/seed=0: stopped",
    ]


def test_names_in_brackets_are_not_taken_for_markup(store):
    view, printed = plain_view(store, [record("a")])
    folder = store.folder(record("a"))
    make(store, record("a"), "failed")
    folder.claim()
    folder.write_json("failure.json", {"kind": "k", "message": "[red]x[/red]", "retry": False, "attempts": 1})
    view.ended("a/seed=0")
    assert printed() == ["[1/1] a/seed=0: failed: k: [red]x[/red]"]


def seconds_left(
    monkeypatch: pytest.MonkeyPatch,
    store: Store,
    trials: list[TrialRecord],
    reports: list[tuple[float, str, int | None]],
) -> float:
    """What the line of the last trial says, after reports (second, arm, epoch or None for an end) and its own end."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(monitor, "time", SimpleNamespace(monotonic=lambda: clock.now))
    view, printed = plain_view(store, trials)
    for second, arm, epoch in reports:
        clock.now = second
        if epoch is None:
            view.ended(f"{arm}/seed=0")
        else:
            view.epoch(f"{arm}/seed=0", epoch)
    view.ended(trials[-1].name)
    left = re.search(r", (\d+) s left$", printed()[-1])
    assert left, printed()
    return float(left[1])


def test_the_time_left_follows_from_the_pace_of_the_epochs_so_far(monkeypatch, store):
    trials = [record("a", epochs=10), record("b", epochs=1)]
    # The first report starts the clock; then 4 epochs in 8 seconds, and 5 more of `a` are left.
    reports = [(100.0, "a", 1), (102.0, "a", 2), (104.0, "a", 3), (106.0, "a", 4), (108.0, "a", 5), (110.0, "b", 1)]
    assert seconds_left(monkeypatch, store, trials, reports) == 10


def test_epochs_of_an_earlier_run_do_not_count_for_the_pace(monkeypatch, store):
    trials = [record("fresh", epochs=30), record("resumed", epochs=30), record("short", epochs=1)]
    store.folder(trials[1]).path.mkdir(parents=True)
    (store.folder(trials[1]).path / "metrics.jsonl").write_text('{"epoch": 1}\n' * 20)
    # `resumed` had 20 epochs before. 2 to 4 epochs in 3 s, depending on how first reports are counted; 36 are left.
    reports = [(0.0, "fresh", 1), (1.0, "fresh", 2), (2.0, "resumed", 21), (3.0, "fresh", 3), (3.0, "short", 1)]
    assert 20 <= seconds_left(monkeypatch, store, trials, reports) <= 60


def test_a_report_of_several_epochs_counts_them_all(monkeypatch, store):
    trials = [record("a", epochs=20), record("b", epochs=1)]
    reports = [(0.0, "a", 1), (5.0, "a", 11), (5.0, "b", 1)]  # 11 epochs in 5 s, and 9 are left
    assert seconds_left(monkeypatch, store, trials, reports) == pytest.approx(9 * 5 / 11, abs=0.6)


def test_epochs_that_a_failed_trial_never_trained_do_not_count_for_the_pace(monkeypatch, store):
    trials = [record("a", epochs=30), record("bad", epochs=30), record("short", epochs=1)]
    # 2 to 4 epochs in 3 s; 27 are left, all of `a`.
    reports = [(0.0, "a", 1), (1.0, "a", 2), (2.0, "bad", 1), (2.0, "bad", None), (3.0, "a", 3), (3.0, "short", 1)]
    assert 15 <= seconds_left(monkeypatch, store, trials, reports) <= 45


def test_on_a_terminal_the_table_is_live_and_nothing_is_printed_by_line(store, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    file = io.StringIO()
    console = Console(file=file, width=80, force_terminal=True, color_system=None)
    trials = [record("a"), record("b")]
    view = View(console, store, trials, trials)
    with view:
        view.started("a/seed=0")
        view.epoch("a/seed=0", 4)
        deadline = time.monotonic() + 30
        while "running: a/seed=0 4/10" not in file.getvalue():  # drawn twice a second
            assert time.monotonic() < deadline, file.getvalue()
            time.sleep(0.02)
        make(store, trials[0], "done")
        view.ended("a/seed=0")
    shown = file.getvalue()
    assert f"{METRIC} so far" in shown
    assert "1/2" in shown.rsplit("trials", 1)[1]
    assert "[1/2]" not in shown
