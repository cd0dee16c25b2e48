"""The state of a study as tables and sentences, from files alone: `status`, and what a run shows."""

import statistics
from collections import Counter
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.table import Table

from analysis.results.mixed_fingerprints import mixed
from analysis.results.study_folder import STATES, State, TrialRecord
from orchestrator.results.store import Store
from trainable.storage.names import EPOCH_SECONDS, LAST10, TEST_ACCURACY

BARS, WIDTH = "▁▂▃▄▅▆▇█", 12


class Arms:
    """Finished accuracies by setting and arm, read from summaries, and each arm's newest curve."""

    def __init__(self, store: Store, records: list[TrialRecord]):
        self.store = store
        self.planned = Counter((r.setting, r.arm) for r in records)
        self._accuracy: dict[TrialRecord, float] = {}
        self._failed: Counter[tuple[str | None, str]] = Counter()
        self._curve: dict[tuple[str | None, str], dict[int, float]] = {}
        for record in records:
            self.read(record)
        for record in {
            (r.setting, r.arm): r for r in self._accuracy
        }.values():  # the last one of each arm
            self.follow(record)

    def read(self, record: TrialRecord) -> None:
        """Read one trial's folder again."""
        folder = self.store.folder(record)
        if (folder.trial or {}).get("id") != record.id:
            return
        if summary := folder.summary:
            self._accuracy[record] = summary[LAST10]
        elif folder.failure:
            self._failed[record.setting, record.arm] += 1

    def follow(self, record: TrialRecord) -> None:
        """Show this trial's curve for its arm from now on."""
        self._curve[record.setting, record.arm] = {}
        for row in self.store.folder(record).rows():
            self.epoch(record, row)

    def epoch(self, record: TrialRecord, row: dict[str, Any]) -> None:
        """A trial has finished an epoch."""
        if TEST_ACCURACY in row:
            self._curve.setdefault((record.setting, record.arm), {})[row["epoch"]] = row[
                TEST_ACCURACY
            ]

    def table(self, running: dict[str, int]) -> Table:
        """One line a setting and arm: done of planned, running, failed, mean ± sd so far, the newest trial's epochs."""
        shown = [value for curve in self._curve.values() for value in curve.values()]
        scale = min(shown, default=0), max(shown, default=100)
        table = grid("done", "running", "failed", "last-10 accuracy")
        table.add_column("newest trial", no_wrap=True)
        for (setting, arm), planned in self.planned.items():
            values = [v for r, v in self._accuracy.items() if (r.setting, r.arm) == (setting, arm)]
            place = f"{setting}/{arm}" if setting else arm
            table.add_row(
                place,
                f"{len(values)}/{planned}",
                str(sum(name.rpartition("/")[0] == place for name in running) or ""),
                str(self._failed[setting, arm] or ""),
                mean_sd(values),
                sparkline(list(self._curve.get((setting, arm), {}).values()), *scale),
            )
        return table


def sparkline(values: list[float], low: float, high: float) -> str:
    """Values as up to `WIDTH` bars between `low` and `high`, for instance `▁▃▆▇█`."""
    last, width = len(values) - 1, min(WIDTH, len(values))
    picked = [values[k * last // max(1, width - 1)] for k in range(width)]
    return "".join(
        BARS[int((len(BARS) - 1) * (value - low) / ((high - low) or 1))] for value in picked
    )


def status_table(
    store: Store, records: list[TrialRecord], states: dict[TrialRecord, State]
) -> Table:
    """States by setting and arm, epochs done, mean ± sd of the finished trials."""
    present = [state for state in STATES if state in states.values()]
    table = grid(*present, "epochs", "accuracy")
    groups: dict[tuple[str | None, str], list[TrialRecord]] = {}
    for record in records:
        groups.setdefault((record.setting, record.arm), []).append(record)
    for (setting, arm), members in groups.items():
        counts = Counter(states[record] for record in members)
        summaries = [store.folder(r).summary if states[r] == "done" else None for r in members]
        epochs = sum(
            r.epochs if s else _epochs_done(store, r, states[r])
            for r, s in zip(members, summaries, strict=True)
        )
        table.add_row(
            f"{setting}/{arm}" if setting else arm,
            *(str(counts[state] or "") for state in present),
            f"{epochs}/{sum(r.epochs for r in members)}",
            mean_sd([s[LAST10] for s in summaries if s]),
        )
    return table


def grid(*titles: str) -> Table:
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
            found.append(
                {"name": record.name, "kind": failure["kind"], "message": failure["message"]}
            )
    return found


def blocked(records: Iterable[TrialRecord]) -> list[str]:
    """Sentences about trials that are blocked: one that they depend on has failed."""
    return [
        f"blocked: {record.name} uses {record.source}, which has no result" for record in records
    ]


def in_state(states: dict[TrialRecord, State], state: State) -> list[TrialRecord]:
    """The trials that are in this state."""
    return [record for record, found in states.items() if found == state]


def time_left(store: Store, states: dict[TrialRecord, State]) -> str | None:
    """How long the rest would take at the pace of the epochs on disk, on as many slots as are busy."""
    spent, finished, left = 0.0, 0, 0
    for record, state in states.items():
        folder = store.folder(record)
        if state == "done" and (summary := folder.summary):
            spent, finished = spent + summary[EPOCH_SECONDS], finished + record.epochs
        elif state in ("running", "partial"):
            rows = folder.rows()
            spent, finished = spent + sum(row[EPOCH_SECONDS] for row in rows), finished + len(rows)
            left += record.epochs - len(rows)
        elif state in ("todo", "stale"):
            left += record.epochs
    if not left or not finished:
        return None
    slots = max(1, sum(state == "running" for state in states.values()))
    return f"time left: about {duration(spent / finished * left / slots)} on {slots} slot{'s' * (slots > 1)}"


def mixed_fingerprints(
    store: Store, records: list[TrialRecord], states: dict[TrialRecord, State]
) -> list[str]:
    """Sentences about finished trials that were made by different code, libraries or kinds of device."""
    return mixed((r.name, store.folder(r).trial or {}) for r in records if states[r] == "done")


def loud(console: Console) -> Console:
    """The console, or the error output where it is quiet: for what nobody must miss."""
    return Console(stderr=True, highlight=False, soft_wrap=True) if console.quiet else console
