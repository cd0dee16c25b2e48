"""A run as it goes: a live table on a terminal, a line a finished trial elsewhere, or events for scripts."""

import json
import time
from datetime import datetime
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.text import Text

from analysis.results.study_folder import TrialRecord
from orchestrator.display.status import Arms, duration
from orchestrator.results.store import Store
from trainable.storage.names import EPOCH_SECONDS, LAST10, TEST_ACCURACY, VALIDATION_ACCURACY
from trainable.storage.trial_folder import TrialFolder


def tell(event: str, **fields: Any) -> None:
    """Print one event as a line of JSON, with the time in seconds since 1970."""
    print(json.dumps({"event": event, "time": round(time.time(), 3), **fields}), flush=True)


def ended_badly(folder: TrialFolder) -> tuple[str, dict[str, Any]] | None:
    """A failure, in a few words and as fields of an event."""
    if failure := folder.failure:
        what = {name: failure[name] for name in ("kind", "message")}
        return f"failed: {what['kind']}: {what['message']}", {"state": "failed", **what}
    return None


class View:
    """What a run hears from its trials, and shows in the way that was asked for.

    Args:
        console: prints for people; a quiet one nothing.
        records: all trials of the study, for the table of arms.
        todo: those that this run is to train.
        events: print one JSON object an event instead.
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
        self.console, self.store, self.events = console, store, events
        self.live = console.is_terminal and not console.quiet
        self.arms = Arms(store, records)
        self._todo = {record.name: record for record in todo}
        self._epoch = {
            record.name: min(len(store.folder(record).rows()), record.epochs) for record in todo
        }
        self._running: dict[str, int] = {}
        self._ended: set[str] = set()
        self.last_seen = ""
        """The last thing that any trial reported."""
        self._last = time.monotonic()
        self._since: float | None = None  # when the first epoch of this run was reported
        self._reports = 0  # epochs reported after that one
        self._bar = Progress(
            TextColumn("trials"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[left]}"),
        )
        self._task = self._bar.add_task("", total=len(todo), left="")
        self._live = Live(console=console, refresh_per_second=2, get_renderable=self._render)

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
        """A trial has a slot."""
        self._heard(f"{name} started")
        self._running[name] = self._epoch[name]
        self.arms.follow(self._todo[name])
        if self.events:
            tell("started", trial=name, epoch=self._epoch[name], epochs=self._todo[name].epochs)

    def epoch(self, name: str, row: dict[str, Any]) -> None:
        """A trial has finished an epoch; `row` has its number and accuracies (percent)."""
        epoch = row["epoch"]
        self._heard(f"{name} epoch {epoch}")
        if (
            self._since is None
        ):  # measured from here: the start of Ray and the first imports are over
            self._since = time.monotonic()
        else:
            self._reports += max(
                0, epoch - self._epoch[name]
            )  # a report may be of several short epochs
        self._running[name] = self._epoch[name] = epoch
        self.arms.epoch(self._todo[name], row)
        if self.events:
            tell(
                "epoch",
                trial=name,
                epoch=epoch,
                **{metric: row[metric] for metric in self.shown if metric in row},
            )

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
        self.arms.follow(record)
        self._bar.update(self._task, completed=len(self._ended))
        text, known = self._outcome(record)
        if self.events:
            tell("ended", trial=name, count=self._count(), **known)
        elif not self.live:
            self.console.print(f"[{self._count()}] {name}: {text}{self._left()}", markup=False)

    def _count(self) -> str:
        return f"{len(self._ended)}/{len(self._todo)}"

    def _outcome(self, record: TrialRecord) -> tuple[str, dict[str, Any]]:
        """How a trial has ended, in a few words and as fields of an event."""
        folder = self.store.folder(record)
        if summary := folder.summary:
            accuracy, seconds = summary[LAST10], summary[EPOCH_SECONDS]
            return f"{LAST10} {accuracy:.2f} in {seconds:.1f} s", {
                "state": "done",
                LAST10: accuracy,
                "seconds": seconds,
            }
        if record.source and not folder.trial:
            return f"not run, {record.source} has no result", {
                "state": "blocked",
                "source": record.source,
            }
        return ended_badly(folder) or ("stopped", {"state": "stopped"})

    @property
    def silence(self) -> float:
        """Seconds since any trial reported anything."""
        return time.monotonic() - self._last

    def _heard(self, what: str) -> None:
        self._last, self.last_seen = (
            time.monotonic(),
            f"{what} at {datetime.now().strftime('%H:%M:%S')}",
        )

    def _left(self) -> str:
        """Time left, from the epochs that this run has finished so far."""
        left = sum(record.epochs - self._epoch[name] for name, record in self._todo.items())
        if self._since is None or not self._reports or not left:
            return ""
        return f", {duration((time.monotonic() - self._since) / self._reports * left)} left"

    def _render(self) -> Group:
        self._bar.update(self._task, left=self._left().removeprefix(", "))
        slots = ", ".join(
            f"{name} {epoch}/{self._todo[name].epochs}"
            for name, epoch in sorted(self._running.items())
        )
        return Group(self._bar, Text(f"running: {slots}" if slots else "", "dim"), self._table())

    def _table(self) -> RenderableType:
        return self.arms.table(self._running)
