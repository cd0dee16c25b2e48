"""What a run prints: a live table on a terminal, lines of finished trials elsewhere, events for scripts, or nothing."""

import io
import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from analysis.results.study_plan import TrialRecord
from orchestrator.display import live as view_module
from orchestrator.display.live import View
from orchestrator.plain_console import plain_console
from orchestrator.results.store import Store
from tests.orchestrator.folders import make_trial, record
from trainable.storage.names import LAST10


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "s")


def plain_view(store: Store, trials: list[TrialRecord]) -> tuple[View, Callable[[], list[str]]]:
    """A view on something that is no terminal, and the lines that it has printed."""
    file = io.StringIO()
    view = View(plain_console(file=file, width=200, force_terminal=False), store, trials, trials)
    return view, lambda: file.getvalue().splitlines()


def test_without_a_terminal_each_trial_that_ends_is_one_line(store):
    trials = [record("done"), record("failed", epochs=20), record("partial")]
    view, printed = plain_view(store, trials)
    with view:
        for trial in trials:
            view.started(trial.name)
            make_trial(store, trial, trial.arm)
            view.ended(trial.name)
            view.ended(trial.name)  # Tune may report an end twice
    assert printed() == [
        f"[1/3] done/seed=0: {LAST10} 95.83 in 12.3 s",
        "[2/3] failed/seed=0: failed: data: it broke",
        "[3/3] partial/seed=0: stopped",
    ]


def test_the_line_of_a_trial_on_unchecked_test_labels_says_what_the_figure_is(store):
    view, printed = plain_view(store, [record("a")])
    make_trial(store, record("a"), "done", test_labels="unchecked")
    view.ended("a/seed=0")
    assert printed() == [
        f"[1/1] a/seed=0: {LAST10} 95.83 (agreement with unchecked test labels) in 12.3 s"
    ]


def test_names_in_brackets_are_not_taken_for_markup(store):
    view, printed = plain_view(store, [record("a")])
    folder = store.folder(record("a"))
    make_trial(store, record("a"), "failed")
    folder.claim()
    folder.write_json(
        "failure.json", {"kind": "k", "message": "[red]x[/red]", "retry": False, "attempts": 1}
    )
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
    monkeypatch.setattr(
        view_module, "time", SimpleNamespace(monotonic=lambda: clock.now, time=time.time)
    )
    view, printed = plain_view(store, trials)
    for second, arm, epoch in reports:
        clock.now = second
        if epoch is None:
            view.ended(f"{arm}/seed=0")
        else:
            view.epoch(f"{arm}/seed=0", {"epoch": epoch, "test/accuracy": 50.0})
    view.ended(trials[-1].name)
    left = re.search(r", (\d+) s left$", printed()[-1])
    assert left, printed()
    return float(left[1])


def test_the_time_left_follows_from_the_pace_of_the_epochs_so_far(monkeypatch, store):
    trials = [record("a", epochs=10), record("b", epochs=1)]
    # The first report starts the clock; then 4 epochs in 8 seconds, and 5 more of `a` are left.
    reports = [
        (100.0, "a", 1),
        (102.0, "a", 2),
        (104.0, "a", 3),
        (106.0, "a", 4),
        (108.0, "a", 5),
        (110.0, "b", 1),
    ]
    assert seconds_left(monkeypatch, store, trials, reports) == 10


def test_epochs_of_an_earlier_run_do_not_count_for_the_pace(monkeypatch, store):
    trials = [record("fresh", epochs=30), record("resumed", epochs=30), record("short", epochs=1)]
    store.folder(trials[1]).path.mkdir(parents=True)
    (store.folder(trials[1]).path / "metrics.jsonl").write_text(
        '{"epoch": 1, "test/accuracy": 50.0}\n' * 20
    )
    # `resumed` had 20 epochs before. 2 to 4 epochs in 3 s, depending on how first reports are counted; 36 are left.
    reports = [
        (0.0, "fresh", 1),
        (1.0, "fresh", 2),
        (2.0, "resumed", 21),
        (3.0, "fresh", 3),
        (3.0, "short", 1),
    ]
    assert 20 <= seconds_left(monkeypatch, store, trials, reports) <= 60


def test_a_report_of_several_epochs_counts_them_all(monkeypatch, store):
    trials = [record("a", epochs=20), record("b", epochs=1)]
    reports = [(0.0, "a", 1), (5.0, "a", 11), (5.0, "b", 1)]  # 11 epochs in 5 s, and 9 are left
    assert seconds_left(monkeypatch, store, trials, reports) == pytest.approx(9 * 5 / 11, abs=0.6)


def test_epochs_that_a_failed_trial_never_trained_do_not_count_for_the_pace(monkeypatch, store):
    trials = [record("a", epochs=30), record("bad", epochs=30), record("short", epochs=1)]
    # 2 to 4 epochs in 3 s; 27 are left, all of `a`.
    reports = [
        (0.0, "a", 1),
        (1.0, "a", 2),
        (2.0, "bad", 1),
        (2.0, "bad", None),
        (3.0, "a", 3),
        (3.0, "short", 1),
    ]
    assert 15 <= seconds_left(monkeypatch, store, trials, reports) <= 45


def test_on_a_terminal_the_table_is_live_and_nothing_is_printed_by_line(store, monkeypatch):
    monkeypatch.setenv("TERM", "xterm-256color")
    file = io.StringIO()
    console = plain_console(file=file, width=80, force_terminal=True, color_system=None)
    trials = [record("a"), record("b")]
    view = View(console, store, trials, trials)
    with view:
        view.started("a/seed=0")
        view.epoch("a/seed=0", {"epoch": 4, "test/accuracy": 50.0})
        deadline = time.monotonic() + 30
        while "running: a/seed=0 4/10" not in file.getvalue():  # drawn twice a second
            assert time.monotonic() < deadline, file.getvalue()
            time.sleep(0.02)
        make_trial(store, trials[0], "done")
        view.ended("a/seed=0")
    shown = file.getvalue()
    assert "last-10 accuracy" in shown
    assert "1/2" in shown.rsplit("trials", 1)[1]
    assert "[1/2]" not in shown


def test_events_for_scripts_are_one_json_object_a_line(store, capsys):
    trials = [record("done"), record("failed")]
    view = View(Console(quiet=True), store, trials, trials, events=True)
    with view:
        for trial in trials:
            view.started(trial.name)
            view.epoch(
                trial.name,
                {"epoch": 1, "test/accuracy": 40.0, "val/accuracy": 30.0, "time/epoch_s": 0.1},
            )
            make_trial(store, trial, trial.arm)
            view.ended(trial.name)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert all(abs(event.pop("time") - time.time()) < 60 for event in events)
    assert events == [
        {"event": "start", "todo": 2, "results": str(store.root)},
        {"event": "started", "trial": "done/seed=0", "epoch": 0, "epochs": 10},
        {
            "event": "epoch",
            "trial": "done/seed=0",
            "epoch": 1,
            "test/accuracy": 40.0,
            "val/accuracy": 30.0,
        },
        {
            "event": "ended",
            "trial": "done/seed=0",
            "count": "1/2",
            "state": "done",
            LAST10: 95.834,
            "seconds": 12.34,
        },
        {"event": "started", "trial": "failed/seed=0", "epoch": 0, "epochs": 10},
        {
            "event": "epoch",
            "trial": "failed/seed=0",
            "epoch": 1,
            "test/accuracy": 40.0,
            "val/accuracy": 30.0,
        },
        {
            "event": "ended",
            "trial": "failed/seed=0",
            "count": "2/2",
            "state": "failed",
            "kind": "data",
            "message": "it broke",
        },
    ]


def test_a_quiet_console_shows_nothing_even_on_a_terminal(store):
    file = io.StringIO()
    view = View(
        plain_console(file=file, quiet=True, force_terminal=True),
        store,
        [record("a")],
        [record("a")],
    )
    with view:
        view.started("a/seed=0")
        make_trial(store, record("a"), "done")
        view.ended("a/seed=0")
    assert file.getvalue() == ""


def test_the_bar_moves_with_every_epoch_of_a_running_trial(store):
    trials = [record("a", epochs=10), record("b", epochs=10)]
    view = View(plain_console(file=io.StringIO(), width=80), store, trials, trials)
    view.started("a/seed=0")
    view.epoch("a/seed=0", {"epoch": 4, "test/accuracy": 50.0})
    assert view._progress() == (4, 20, "4/20 epochs")
    view.epoch("a/seed=0", {"epoch": 6, "test/accuracy": 50.0})
    completed, total, text = view._progress()
    assert (completed, total) == (6, 20)
    assert re.fullmatch(r"6/20 epochs, \d+ s left", text)
    console = plain_console(file=io.StringIO(), width=80)
    console.print(view._render())
    assert "trials 0/2" in console.file.getvalue()
    assert "6/20 epochs" in console.file.getvalue()


def test_the_bar_of_a_resumed_run_begins_with_the_epochs_on_disk(store):
    trials = [record("a", epochs=10), record("b", epochs=10)]
    store.folder(trials[0]).path.mkdir(parents=True)
    rows = '{"epoch": 1, "test/accuracy": 50.0}\n' * 7
    (store.folder(trials[0]).path / "metrics.jsonl").write_text(rows)
    view = View(plain_console(file=io.StringIO()), store, trials, trials)
    assert view._progress() == (7, 20, "7/20 epochs")
