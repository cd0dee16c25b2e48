"""Time that a study still needs, estimated from the epochs on disk."""

from analysis.results.study_folder import State
from analysis.results.study_plan import TrialRecord
from analysis.results.trial_files import Files
from orchestrator.display.status import in_state
from orchestrator.results.store import Store
from trainable.storage.names import EPOCH_SECONDS


def duration(seconds: float) -> str:
    """Write a duration as `3 h 05 min`, `12 min` or `40 s`."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    return f"{minutes // 60} h {minutes % 60:02} min"


def time_left(store: Store, states: dict[TrialRecord, State], files: Files) -> str | None:
    """Return the estimated time left as a sentence; None: it is unknown, or nothing is left."""
    seconds = seconds_left(store, states, files)
    if seconds is None:
        return None
    slots = _slots(states)
    plural = "s" if slots > 1 else ""
    return f"time left: about {duration(seconds)} on {slots} slot{plural}"


def seconds_left(store: Store, states: dict[TrialRecord, State], files: Files) -> float | None:
    """Estimate the time left, seconds, from finished epochs and the slots in use.

    Returns:
        None if no epoch is finished or none is left.
    """
    spent = 0.0
    finished = 0
    left = 0
    for record, state in states.items():
        held = files.get(record.name)
        if held and held.summary and state == "done":
            spent += held.summary.get(EPOCH_SECONDS, 0)
            finished += record.epochs
        elif state in ("running", "partial"):
            rows = store.folder(record).rows()
            spent += sum(row.get(EPOCH_SECONDS, 0) for row in rows)
            finished += len(rows)
            left += record.epochs - len(rows)
        elif state in ("todo", "stale", "damaged"):
            left += record.epochs
    if not left or not finished:
        return None
    return spent / finished * left / _slots(states)


def _slots(states: dict[TrialRecord, State]) -> int:
    """Return the number of trials that run at the same time, 1 at least."""
    return max(1, len(in_state(states, "running")))
