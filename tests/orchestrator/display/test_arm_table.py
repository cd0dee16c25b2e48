"""A table with a line for each arm: what it counts, its curves, and that it fits a terminal."""

import io
import itertools
import re
import statistics
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from analysis.results.study_folder import STATES
from analysis.results.study_plan import TrialRecord
from analysis.results.trial_files import read_folders
from orchestrator.display.arm_table import Arms, Moments, sparkline, status_table
from orchestrator.results.store import Store
from orchestrator.study.load import load_study
from tests.orchestrator.folders import make_trial, record

STUDIES = Path(__file__).parents[3] / "studies"


@pytest.fixture(autouse=True)
def no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of folders are made here, and none has to survive a power cut."""
    monkeypatch.setattr("os.fsync", lambda descriptor: None)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "s")


def lines(*shown: Any, width: int = 80) -> list[str]:
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(*shown)
    return [line.rstrip() for line in console.export_text().splitlines()]


@pytest.mark.parametrize(
    ("values", "shown"),
    [([], ""), ([95.834], "95.83"), ([1.0, 3.0], "2.00 ± 1.41"), ([5.0, 5.0, 5.0], "5.00 ± 0.00")],
)
def test_mean_and_sd_show_what_there_is(values, shown):
    moments = Moments()
    for value in values:
        moments.add(value)
    assert str(moments) == shown


def test_moments_of_many_close_values_are_exact():
    values = [90 + k % 7 * 1e-3 for k in range(5000)]
    moments = Moments()
    for value in values:
        moments.add(value)
    assert moments.mean == pytest.approx(statistics.fmean(values), rel=1e-12)
    assert str(moments) == f"{statistics.fmean(values):.2f} ± {statistics.stdev(values):.2f}"


def test_a_table_of_arms_reads_no_file_of_a_trial_again(store, monkeypatch):
    records = [record("a", seed) for seed in range(3)]
    for each in records:
        make_trial(store, each, "done", 90.0 + each.seed)
    arms = Arms(store, records)
    arms.read(records[0])  # it ends once more, for instance after a retry
    monkeypatch.setattr(Store, "folder", None)
    [line] = lines(arms.table({}))[1:]
    assert "3/3" in line
    assert "91.00 ± 1.00" in line


def test_the_status_table_counts_states_epochs_and_accuracies_by_arm(store):
    trials = [record("baseline", seed) for seed in range(4)] + [
        record("a", seed) for seed in range(4)
    ]
    states = dict(
        zip(
            trials,
            ["done", "done", "partial", "todo", "stale", "failed", "todo", "todo"],
            strict=True,
        )
    )
    for k, (trial, state) in enumerate(states.items()):
        make_trial(store, trial, state, accuracy=90 + k)
    files = read_folders(store.root, trials)
    table = [line.split() for line in lines(status_table(store, trials, states, files))]
    assert table[0][:7] == ["arm", "done", "partial", "failed", "stale", "todo", "epochs"]
    assert table[1:] == [
        ["baseline", "2", "1", "1", "23/40", "90.50", "±", "0.71"],
        ["a", "1", "1", "2", "3/40"],
    ]


def test_accuracies_on_unchecked_test_labels_are_called_agreement(store):
    trials = [record("baseline", seed) for seed in range(2)]
    for trial in trials:
        make_trial(store, trial, "done", test_labels="unchecked")
    files = read_folders(store.root, trials)
    states = dict.fromkeys(trials, "done")
    assert lines(status_table(store, trials, states, files))[0].split()[-1] == "agreement"
    assert "last-10 agreement" in lines(Arms(store, trials).table({}))[0]


@pytest.mark.parametrize("without", ["running", "stale"])  # a study that runs has no stale trials
@pytest.mark.parametrize("study", ["ablation", "cifar10_ablation"])
def test_the_status_table_fits_80_columns_with_every_state_that_can_occur_at_once(
    store, study, without
):
    trials = [trial.record for trial in load_study(STUDIES / f"{study}.yaml").trials]
    # Of a search only; only where trials use others; so rare that a name may be folded then.
    impossible = (without, "stopped", "blocked", "damaged")
    possible = itertools.cycle(state for state in STATES if state not in impossible)
    states = dict(zip(trials, possible, strict=False))
    for trial, state in states.items():
        if state == "done":
            make_trial(store, trial, state, accuracy=80 + trial.seed)
    files = read_folders(store.root, trials)
    assert_whole(lines(status_table(store, trials, states, files)), trials)


@pytest.mark.parametrize("study", ["ablation", "cifar10_ablation"])
def test_the_live_table_fits_80_columns(store, study):
    trials = [trial.record for trial in load_study(STUDIES / f"{study}.yaml").trials]
    for trial in trials:
        make_trial(store, trial, "failed" if trial.seed == 3 else "done", accuracy=80 + trial.seed)
    running = {trial.name: 3 for trial in trials if trial.seed == 4}
    assert_whole(lines(Arms(store, trials).table(running)), trials)


def assert_whole(shown: list[str], trials: list[TrialRecord]) -> None:
    """No line is longer than 80 columns, no arm is missing and nothing was cut to fit."""
    assert max(map(len, shown)) <= 80
    arms = {f"{trial.setting}/{trial.arm}" if trial.setting else trial.arm for trial in trials}
    names = "".join(line.split()[0] for line in shown[1:])  # a long name may be folded
    assert all(arm in names for arm in arms)
    assert [line for line in shown if "…" in line] == []
    assert any("±" in line for line in shown)


def test_the_live_table_counts_done_running_and_failed_trials_of_each_setting_and_arm(store):
    trials = [
        record(arm, seed, setting=setting) for setting in "xy" for arm in "ab" for seed in range(2)
    ]
    make_trial(store, trials[0], "done", 90)
    make_trial(store, trials[1], "done", 92)
    make_trial(store, trials[2], "failed")
    make_trial(store, trials[4], "stale")
    arms = Arms(store, trials)
    running = {"x/b/seed=1": 3, "y/a/seed=0": 1, "y/a/seed=1": 1}
    table = [line.split() for line in lines(arms.table(running))]
    assert table[1:] == [
        ["x/a", "2/2", "91.00", "±", "1.41", "▁▄█"],
        ["x/b", "0/2", "1", "1"],
        ["y/a", "0/2", "2"],
        ["y/b", "0/2"],
    ]


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([], ""),
        ([50.0], "▄"),
        ([0.0, 50.0, 100.0], "▁▄█"),
        ([float(k) for k in range(101)], "▁▁▂▂▃▄▄▅▆▆▇█"),  # every ninth or so of many
    ],
)
def test_a_sparkline_has_a_bar_an_epoch_or_twelve(values, shown):
    assert sparkline(values, 0, 100) == shown


def test_equal_values_make_a_flat_sparkline():
    assert sparkline([7.0, 7.0], 7, 7) == "▁▁"


def test_an_arm_shows_the_curve_of_the_trial_that_is_heard_of_last(store):
    trials = [record("a", seed) for seed in range(2)]
    make_trial(store, trials[0], "done")  # rows of 10, 20 and 30 %
    arms = Arms(store, trials)
    assert lines(arms.table({}))[1].endswith(" ▁▄█")
    arms.follow(trials[1])
    assert not re.search("[▁▄█]", lines(arms.table({}))[1])
    for epoch, accuracy in enumerate((40.0, 20.0), 1):
        arms.epoch(trials[1], {"epoch": epoch, "test/accuracy": accuracy})
    assert lines(arms.table({}))[1].endswith(" █▁")
