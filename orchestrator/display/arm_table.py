"""State of a study as a table with a line for each setting and arm, for `status` and for runs."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.table import Table

from analysis.report.cells import arm_name
from analysis.results.measure import TRUSTED, UNCHECKED, of_summary
from analysis.results.study_folder import STATES, State
from analysis.results.study_plan import TrialRecord
from analysis.results.trial_failures import what_failed
from analysis.results.trial_files import Files
from orchestrator.results.store import Store
from trainable.storage.names import LAST10, TEST_ACCURACY

BARS = "▁▂▃▄▅▆▇█"
WIDTH = 12
"""Maximum number of bars of a sparkline."""


class Moments:
    """Number, mean and standard deviation of values that arrive one by one (Welford 1962)."""

    def __init__(self) -> None:
        self.count = 0
        self.mean = 0.0
        self._squares = 0.0

    def add(self, value: float) -> None:
        """Add a value."""
        self.count += 1
        before = value - self.mean
        self.mean += before / self.count
        self._squares += before * (value - self.mean)

    def __str__(self) -> str:
        if self.count < 2:
            return f"{self.mean:.2f}" if self.count else ""
        sd = math.sqrt(self._squares / (self.count - 1))
        return f"{self.mean:.2f} ± {sd:.2f}"


class Arms:
    """Accuracies of completed trials by setting and arm, and each arm's newest curve.

    A table costs the same however many trials are completed.
    """

    def __init__(self, store: Store, records: list[TrialRecord]):
        self.store = store
        self.planned = Counter((record.setting, record.arm) for record in records)
        self._completed: set[TrialRecord] = set()
        self._accuracy = {place: Moments() for place in self.planned}
        self._failed_runs: Counter[tuple[str | None, str]] = Counter()
        self._measure = TRUSTED
        self._failed: Counter[tuple[str | None, str]] = Counter()
        self._curve: dict[tuple[str | None, str], dict[int, float]] = {}
        for record in records:
            self.read(record)
        newest = {}
        for record in records:
            if record in self._completed:
                newest[record.setting, record.arm] = record  # the last of each arm
        for record in newest.values():
            self.follow(record)

    def plan(self, record: TrialRecord) -> None:
        """Count a trial that is planned since."""
        place = record.setting, record.arm
        self.planned[place] += 1
        self._accuracy.setdefault(place, Moments())

    def read(self, record: TrialRecord) -> None:
        """Read the state of one trial from its folder again."""
        folder = self.store.folder(record)
        if (folder.trial or {}).get("id") != record.id:
            return
        summary = folder.summary
        if summary and record not in self._completed:
            self._completed.add(record)
            if self._measure.decides:
                self._measure = of_summary(summary)
            place = record.setting, record.arm
            self._accuracy.setdefault(place, Moments()).add(summary[LAST10])
            self._failed_runs[place] += bool(what_failed(summary))
        elif not summary and folder.failure:
            self._failed[record.setting, record.arm] += 1

    def follow(self, record: TrialRecord) -> None:
        """Show this trial's curve for its arm from now on."""
        self._curve[record.setting, record.arm] = {}
        for row in self.store.folder(record).rows():
            self.epoch(record, row)

    def epoch(self, record: TrialRecord, row: dict[str, Any]) -> None:
        """Add a finished epoch to the curve of the trial's arm."""
        if TEST_ACCURACY in row:
            curve = self._curve.setdefault((record.setting, record.arm), {})
            curve[row["epoch"]] = row[TEST_ACCURACY]

    def table(self, running: dict[str, int]) -> Table:
        """Return a table with one line per setting and arm.

        Columns: done of planned, running, failed, mean ± sd so far, curve of the newest trial.
        """
        shown: list[float] = []
        for curve in self._curve.values():
            shown += curve.values()
        lowest = min(shown, default=0)
        highest = max(shown, default=100)
        running_in = Counter(name.rpartition("/")[0] for name in running)
        table = grid("done", "running", "failed", f"last-10 {self._measure.cell}")
        table.add_column("newest trial", no_wrap=True)
        for (setting, arm), planned in self.planned.items():
            place = arm_name(setting, arm)
            accuracy = self._accuracy[setting, arm]
            newest = self._curve.get((setting, arm), {})
            table.add_row(
                place,
                f"{accuracy.count}/{planned}",
                _count(running_in[place]),
                _count(self._failed[setting, arm]),
                _with_failures(accuracy, self._failed_runs[setting, arm]),
                sparkline(list(newest.values()), lowest, highest),
            )
        return table


def _count(number: int) -> str:
    """Write a number as a cell; zero is empty."""
    return str(number or "")


def sparkline(values: list[float], low: float, high: float) -> str:
    """Draw values as up to `WIDTH` bars between `low` and `high`, for instance `▁▃▆▇█`."""
    last = len(values) - 1
    width = min(WIDTH, len(values))
    span = (high - low) or 1
    bars = ""
    for k in range(width):
        value = values[k * last // max(1, width - 1)]
        bars += BARS[int((len(BARS) - 1) * (value - low) / span)]
    return bars


def status_table(
    store: Store,
    records: list[TrialRecord],
    states: dict[TrialRecord, State],
    files: Files,
    moves: Mapping[str, str] | None = None,
) -> Table:
    """Return a table of states, finished epochs and mean ± sd by setting and arm.

    Args:
        store: the study's results.
        records: the trials to show.
        states: the state of each trial after `moves`.
        files: contents of the trials' folders.
        moves: renamed trials that have not been moved yet, old name → new name.
    """
    old_names = {new: old for old, new in (moves or {}).items()}
    present = [state for state in STATES if state in states.values()]
    unchecked = any(not of_summary(held.summary or {}).decides for held in files.values())
    table = grid(*present, "epochs", UNCHECKED.cell if unchecked else TRUSTED.cell)
    groups: dict[tuple[str | None, str], list[TrialRecord]] = {}
    for record in records:
        groups.setdefault((record.setting, record.arm), []).append(record)
    for (setting, arm), members in groups.items():
        counts = Counter(states[record] for record in members)
        planned = sum(record.epochs for record in members)
        epochs = 0
        accuracy = Moments()
        failed = 0
        for record in members:
            state = states[record]
            held = files.get(old_names.get(record.name, record.name))
            if held and held.summary and state == "done":
                summary = held.summary
                epochs += record.epochs
                accuracy.add(summary[LAST10])
                failed += bool(what_failed(summary))
            else:
                epochs += epochs_done(store, record, state)
        table.add_row(
            arm_name(setting, arm),
            *(_count(counts[state]) for state in present),
            f"{epochs}/{planned}",
            _with_failures(accuracy, failed),
        )
    return table


def _with_failures(accuracy: Moments, failed: int) -> str:
    """Write mean ± sd, and how many of the completed runs have collapsed or lost a class."""
    return f"{accuracy} ({failed} failed)" if failed else str(accuracy)


def grid(*titles: str) -> Table:
    """Return an empty table for 80 columns: a folded column of arms, right-aligned numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("arm", overflow="fold")
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    return table


def epochs_done(store: Store, record: TrialRecord, state: State) -> int:
    """Return the number of finished epochs of a trial that is not completed."""
    if state in ("running", "partial", "failed"):
        return len(store.folder(record).rows())
    return 0
