"""What a person sees while a study runs, and `status` afterwards."""

import statistics
import time
from collections import Counter
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from analysis.fingerprints import mixed
from orchestrator.store import STATES, State, Store, TrialRecord

METRIC = "test/accuracy_last10"


class View:
    """Progress of one run: a live table on a terminal, one line a finished trial elsewhere."""

    def __init__(self, console: Console, store: Store, records: list[TrialRecord], todo: list[TrialRecord]):
        self.console, self.store = console, store
        self.arms = Arms(store, records)
        self._todo = {record.name: record for record in todo}
        self._epoch = {record.name: min(len(store.folder(record).rows()), record.epochs) for record in todo}
        self._running: dict[str, int] = {}
        self._ended: set[str] = set()
        self.last_seen = ""
        """The last thing that any trial reported."""
        self._last = time.monotonic()
        self._since: float | None = None  # when the first epoch of this run was reported
        self._reports = 0  # epochs reported after that one
        self._bar = Progress(
            TextColumn("trials"), BarColumn(bar_width=None), MofNCompleteColumn(), TextColumn("{task.fields[left]}")
        )
        self._task = self._bar.add_task("", total=len(todo), left="")
        self._live = Live(console=console, refresh_per_second=2, get_renderable=self._render)

    def __enter__(self) -> "View":
        if self.console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._running.clear()
        if self.console.is_terminal:
            self._live.stop()

    def started(self, name: str) -> None:
        """A trial has a slot."""
        self._heard(f"{name} started")
        self._running[name] = self._epoch[name]

    def epoch(self, name: str, epoch: int) -> None:
        """A trial has finished an epoch."""
        self._heard(f"{name} epoch {epoch}")
        if self._since is None:  # measured from here: the start of Ray and the first imports are over
            self._since = time.monotonic()
        else:
            self._reports += max(0, epoch - self._epoch[name])  # a report may be of several short epochs
        self._running[name] = self._epoch[name] = epoch

    def ended(self, name: str) -> None:
        """A trial has ended, well or badly; its folder says which."""
        self._heard(f"{name} ended")
        self._running.pop(name, None)
        if name in self._ended:
            return
        self._ended.add(name)
        record = self._todo[name]
        self._epoch[name] = record.epochs
        self.arms.read(record)
        self._bar.update(self._task, completed=len(self._ended))
        if not self.console.is_terminal:
            self.console.print(f"[{self._count()}] {name}: {self._outcome(record)}{self._left()}", markup=False)

    def _count(self) -> str:
        return f"{len(self._ended)}/{len(self._todo)}"

    def _outcome(self, record: TrialRecord) -> str:
        """How a trial has ended, in a few words."""
        folder = self.store.folder(record)
        summary, failure = folder.summary, folder.failure
        if summary:
            return f"{METRIC} {summary[METRIC]:.2f} in {summary['time/epoch_s']:.1f} s"
        if failure:
            return f"failed: {failure['kind']}: {failure['message']}"
        return f"not run, {record.source} has no result" if record.source and not folder.trial else "stopped"

    @property
    def silence(self) -> float:
        """Seconds since any trial reported anything."""
        return time.monotonic() - self._last

    def _heard(self, what: str) -> None:
        self._last, self.last_seen = time.monotonic(), f"{what} at {datetime.now().strftime('%H:%M:%S')}"

    def _left(self) -> str:
        """Time left, from the epochs that this run has finished so far."""
        left = sum(record.epochs - self._epoch[name] for name, record in self._todo.items())
        if self._since is None or not self._reports or not left:
            return ""
        return f", {duration((time.monotonic() - self._since) / self._reports * left)} left"

    def _render(self) -> Group:
        self._bar.update(self._task, left=self._left().removeprefix(", "))
        slots = ", ".join(f"{name} {epoch}/{self._todo[name].epochs}" for name, epoch in sorted(self._running.items()))
        return Group(self._table(), self._bar, Text(f"running: {slots}" if slots else "", "dim"))

    def _table(self) -> RenderableType:
        return self.arms.table(self._running)


class Arms:
    """Finished accuracies by setting and arm, read from summaries."""

    def __init__(self, store: Store, records: list[TrialRecord]):
        self.store = store
        self.planned = Counter((r.setting, r.arm) for r in records)
        self._accuracy: dict[TrialRecord, float] = {}
        self._failed: Counter[tuple[str | None, str]] = Counter()
        for record in records:
            self.read(record)

    def read(self, record: TrialRecord) -> None:
        """Read one trial's folder again."""
        folder = self.store.folder(record)
        if (folder.trial or {}).get("id") != record.id:
            return
        if summary := folder.summary:
            self._accuracy[record] = summary[METRIC]
        elif folder.failure:
            self._failed[record.setting, record.arm] += 1

    def table(self, running: dict[str, int]) -> Table:
        """One line a setting and arm: done of planned, running, failed, mean ± sd so far."""
        table = _grid("done", "running", "failed", f"{METRIC} so far")
        for (setting, arm), planned in self.planned.items():
            values = [v for r, v in self._accuracy.items() if (r.setting, r.arm) == (setting, arm)]
            place = f"{setting}/{arm}" if setting else arm
            table.add_row(
                place,
                f"{len(values)}/{planned}",
                str(sum(name.rpartition("/")[0] == place for name in running) or ""),
                str(self._failed[setting, arm] or ""),
                mean_sd(values),
            )
        return table


def status_table(store: Store, records: list[TrialRecord], states: dict[TrialRecord, State]) -> Table:
    """States by setting and arm, epochs done, mean ± sd of the finished trials."""
    present = [state for state in STATES if state in states.values()]
    table = _grid(*present, "epochs", "accuracy")
    groups: dict[tuple[str | None, str], list[TrialRecord]] = {}
    for record in records:
        groups.setdefault((record.setting, record.arm), []).append(record)
    for (setting, arm), members in groups.items():
        counts = Counter(states[record] for record in members)
        summaries = [store.folder(r).summary if states[r] == "done" else None for r in members]
        epochs = sum(
            r.epochs if s else _epochs_done(store, r, states[r]) for r, s in zip(members, summaries, strict=True)
        )
        table.add_row(
            f"{setting}/{arm}" if setting else arm,
            *(str(counts[state] or "") for state in present),
            f"{epochs}/{sum(r.epochs for r in members)}",
            mean_sd([s[METRIC] for s in summaries if s]),
        )
    return table


def _grid(*titles: str) -> Table:
    """A table for 80 columns: the arm, whose long names go on in a second line, and right-aligned numbers."""
    table = Table(box=None, pad_edge=False, header_style="bold", padding=(0, 1, 0, 0))
    table.add_column("arm", overflow="fold")
    for title in titles:
        table.add_column(title, justify="right", no_wrap=True)
    return table


def _epochs_done(store: Store, record: TrialRecord, state: State) -> int:
    return len(store.folder(record).rows()) if state in ("running", "partial", "failed") else 0


def mean_sd(values: list[float]) -> str:
    """`95.83 ± 2.31`, or what there is of it."""
    if not values:
        return ""
    sd = f" ± {statistics.stdev(values):.2f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.2f}{sd}"


def duration(seconds: float) -> str:
    """`3 h 05 min`, `12 min` or `40 s`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60:02} min" if minutes >= 60 else f"{minutes} min"


def failures(store: Store, states: dict[TrialRecord, State]) -> list[dict[str, Any]]:
    """Name, kind and message of each failed trial."""
    found = []
    for record, state in states.items():
        failure = store.folder(record).failure
        if state == "failed" and failure:
            found.append({"name": record.name, "kind": failure["kind"], "message": failure["message"]})
    return found


def blocked(states: dict[TrialRecord, State]) -> list[str]:
    """Sentences about trials that were not run because the trial that they use failed."""
    return [
        f"blocked: {record.name} uses {record.source}, which has no result"
        for record, state in states.items()
        if state == "blocked"
    ]


def time_left(store: Store, states: dict[TrialRecord, State]) -> str | None:
    """How long the rest would take at the pace of the epochs on disk, on as many slots as are busy."""
    spent, finished, left = 0.0, 0, 0
    for record, state in states.items():
        folder = store.folder(record)
        if state == "done" and (summary := folder.summary):
            spent, finished = spent + summary["time/epoch_s"], finished + record.epochs
        elif state in ("running", "partial"):
            rows = folder.rows()
            spent, finished = spent + sum(row["time/epoch_s"] for row in rows), finished + len(rows)
            left += record.epochs - len(rows)
        elif state in ("todo", "stale"):
            left += record.epochs
    if not left or not finished:
        return None
    slots = max(1, sum(state == "running" for state in states.values()))
    return f"time left: about {duration(spent / finished * left / slots)} on {slots} slot{'s' * (slots > 1)}"


def mixed_fingerprints(store: Store, records: list[TrialRecord], states: dict[TrialRecord, State]) -> list[str]:
    """Sentences about finished trials that were made by different code, libraries or kinds of device."""
    return mixed((r.name, store.folder(r).trial or {}) for r in records if states[r] == "done")
