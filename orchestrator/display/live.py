"""Progress of a run.

On a terminal it is a live table, otherwise one line per ended trial, or events for scripts.
"""

import json
import time
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, TextColumn
from rich.text import Text

from analysis.results.measure import of_summary
from analysis.results.study_plan import TrialRecord
from orchestrator.display.arm_table import Arms
from orchestrator.display.time_left import duration
from orchestrator.results.store import Store
from trainable.storage.names import EPOCH_SECONDS, LAST10, TEST_ACCURACY, VALIDATION_ACCURACY
from trainable.storage.trial_folder import TrialFolder


def tell(event: str, **fields: Any) -> None:
    """Print one event as a line of JSON, with the time in seconds since 1970."""
    print(json.dumps({"event": event, "time": round(time.time(), 3), **fields}), flush=True)


def ended_badly(folder: TrialFolder) -> tuple[str, dict[str, Any]] | None:
    """Return a trial's failure as text and as fields of an event; None if it has not failed."""
    failure = folder.failure
    if not failure:
        return None
    kind = failure["kind"]
    message = failure["message"]
    return f"failed: {kind}: {message}", {"state": "failed", "kind": kind, "message": message}


class View:
    """Receives the progress of a run's trials and displays it.

    Args:
        console: output for users; a quiet console prints nothing.
        store: the study's results.
        records: all trials of the study, for the table of arms.
        todo: the trials that this run trains.
        events: print one JSON object per event instead.
    """

    shown: tuple[str, ...] = (TEST_ACCURACY, VALIDATION_ACCURACY)

    def __init__(
        self,
        console: Console,
        store: Store,
        records: list[TrialRecord],
        todo: list[TrialRecord],
        events: bool = False,
    ):
        self.console = console
        self.store = store
        self.events = events
        self.live = console.is_terminal and not console.quiet
        self.arms = Arms(store, records)
        self._todo = {record.name: record for record in todo}
        self._epoch = {record.name: self._on_disk(record) for record in todo}
        self._epochs_left = sum(record.epochs - self._epoch[record.name] for record in todo)
        self._running: dict[str, int] = {}
        self._ended: set[str] = set()
        self.last_seen = ""
        """Latest report of any trial, with its time."""
        self._last = time.monotonic()
        self._since: float | None = None  # when the first epoch of this run was reported
        self._reports = 0  # epochs reported after that one
        self._bar = Progress(
            TextColumn("trials {task.fields[trials]}"),
            BarColumn(bar_width=None),
            TextColumn("{task.fields[progress]}"),
        )
        self._task = self._bar.add_task("", total=None, trials="", progress="")
        self._live = Live(console=console, refresh_per_second=2, get_renderable=self._render)

    def extend(self, records: list[TrialRecord]) -> None:
        """Add trials that are needed since the results so far."""
        for record in records:
            self._todo[record.name] = record
            self._epoch[record.name] = self._on_disk(record)
            self._epochs_left += record.epochs - self._epoch[record.name]
            self.arms.plan(record)

    def _on_disk(self, record: TrialRecord) -> int:
        """Return the number of a trial's epochs on disk."""
        return min(len(self.store.folder(record).rows()), record.epochs)

    def __enter__(self) -> "View":
        if self.events:
            tell("start", todo=len(self._todo), results=str(self.store.root))
        if self.live:
            self._live.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._running.clear()
        if self.live:
            self._live.stop()

    def started(self, name: str) -> None:
        """Show that a trial has started."""
        self._heard(f"{name} started")
        self._running[name] = self._epoch[name]
        self.arms.follow(self._todo[name])
        if self.events:
            tell("started", trial=name, epoch=self._epoch[name], epochs=self._todo[name].epochs)

    def epoch(self, name: str, row: dict[str, Any]) -> None:
        """Show a finished epoch of a trial; `row` has its number and accuracies (percent)."""
        epoch = row["epoch"]
        self._heard(f"{name} epoch {epoch}")
        if self._since is None:
            # Time is measured from here, without the start of Ray and the first imports.
            self._since = time.monotonic()
        else:
            # One report may cover several short epochs.
            self._reports += max(0, epoch - self._epoch[name])
        self._running[name] = epoch
        self._reached(name, epoch)
        self.arms.epoch(self._todo[name], row)
        if self.events:
            shown = {metric: row[metric] for metric in self.shown if metric in row}
            tell("epoch", trial=name, epoch=epoch, **shown)

    def ended(self, name: str) -> None:
        """Show that a trial has ended; its outcome is read from its folder."""
        self._heard(f"{name} ended")
        self._running.pop(name, None)
        if name in self._ended:
            return
        self._ended.add(name)
        record = self._todo[name]
        self._reached(name, record.epochs)
        self.arms.read(record)
        self.arms.follow(record)
        text, known = self._outcome(record)
        if self.events:
            tell("ended", trial=name, count=self._count(), **known)
        elif not self.live:
            self.console.print(f"[{self._count()}] {name}: {text}{self._left()}")

    def _count(self) -> str:
        return f"{len(self._ended)}/{len(self._todo)}"

    def _outcome(self, record: TrialRecord) -> tuple[str, dict[str, Any]]:
        """Return a trial's outcome as text and as fields of an event."""
        folder = self.store.folder(record)
        summary = folder.summary
        if summary:
            accuracy = summary[LAST10]
            seconds = summary.get(EPOCH_SECONDS, 0.0)
            known = {"state": "done", LAST10: accuracy, "seconds": seconds}
            measure = of_summary(summary)
            note = ""
            if not measure.decides:
                note = f" ({measure.name})"
                known["measure"] = measure.name
            return f"{LAST10} {accuracy:.2f}{note} in {seconds:.1f} s", known
        if record.source and not folder.trial:
            text = f"not run, {record.source} has no result"
            return text, {"state": "blocked", "source": record.source}
        return ended_badly(folder) or ("stopped", {"state": "stopped"})

    @property
    def silence(self) -> float:
        """Seconds since the latest report of any trial."""
        return time.monotonic() - self._last

    def _heard(self, what: str) -> None:
        now = datetime.now().strftime("%H:%M:%S")
        self._last = time.monotonic()
        self.last_seen = f"{what} at {now}"

    def _reached(self, name: str, epoch: int) -> None:
        self._epochs_left -= epoch - self._epoch[name]
        self._epoch[name] = epoch

    def _left(self) -> str:
        """Return the estimated time left, from the epochs that this run has finished."""
        if self._since is None or not self._reports or not self._epochs_left:
            return ""
        spent = time.monotonic() - self._since
        return f", {duration(spent / self._reports * self._epochs_left)} left"

    def _progress(self) -> tuple[float, float, str]:
        """Return how far the bar is, its whole length, and both as text.

        The unit is an epoch of a trial that this run trains. A resumed trial begins with the epochs
        that it has on disk.
        """
        total = sum(record.epochs for record in self._todo.values())
        completed = total - self._epochs_left
        return completed, total, f"{completed}/{total} epochs{self._left()}"

    def _render(self) -> Group:
        completed, total, text = self._progress()
        self._bar.update(
            self._task, completed=completed, total=total, trials=self._count(), progress=text
        )
        running = ""
        if self._running:
            running = f"running: {', '.join(self._slots())}"
        return Group(self._bar, Text(running, "dim"), self._table())

    def _slots(self) -> list[str]:
        """Return `name 3/30` for each running trial."""
        running = sorted(self._running.items())
        return [f"{name} {epoch}/{self._todo[name].epochs}" for name, epoch in running]

    def _table(self) -> RenderableType:
        return self.arms.table(self._running)
