"""What `status` shows of a study, from the files alone: for people, and as plain data."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from rich.console import Console

from analysis.results.study_folder import STATES, State
from analysis.results.study_plan import TrialRecord
from analysis.results.trial_files import Files
from orchestrator.display import status
from orchestrator.display.arm_table import epochs_done, status_table
from orchestrator.display.time_left import seconds_left, time_left
from orchestrator.results.store import Store
from trainable.storage.names import JOURNAL, LAST10


def show(place: Store, console: Console) -> None:
    """Print the state of every search and arm, and sentences about what needs attention.

    Raises:
        NoStudy: the folder contains no study.
    """
    plan = place.read_plan()
    if place.root.joinpath(JOURNAL).is_file():
        from orchestrator.display.search_live import show_status

        show_status(place, console)
        console.print("confirmation:")
    snapshot = place.planned(plan.records)
    files = snapshot.files
    states = snapshot.states(plan.records, plan.max_failures)
    show_states(place, plan.records, states, files, console)
    left = time_left(place, states, files)
    if left:
        console.print(left)
    for line in status.failed(place, states):
        console.print(line)
    for line in [*status.stale(states, files), *status.damaged(states, files)]:
        console.print(line)
    for line in status.blocked(status.in_state(states, "blocked")):
        console.print(line)
    for line in status.notes(plan.records, states, files):
        console.print(f"note: {line}")
    for holder in place.runners():
        console.print(f"being run by process {holder['pid']} on {holder['host']}")


def show_states(
    store: Store,
    records: list[TrialRecord],
    states: dict[TrialRecord, State],
    files: Files,
    console: Console,
    moves: Mapping[str, str] | None = None,
) -> None:
    """Print the state of every arm, and of all trials together; arguments as of `status_table`."""
    console.print(status_table(store, records, states, files, moves))
    console.print(f"{store.root}: {len(records)} trials: {counted(states)}")


def counted(states: dict[TrialRecord, State]) -> str:
    """Write `3 done, 1 failed`."""
    counts = Counter(states.values())
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])


def as_data(place: Store) -> dict[str, Any]:
    """Return the state of a study for scripts; docs/monitoring.md describes the keys.

    Raises:
        NoStudy: the folder contains no study.
    """
    plan = place.read_plan()
    snapshot = place.planned(plan.records)
    states = snapshot.states(plan.records, plan.max_failures)
    trials = []
    for record in plan.records:
        held = snapshot.files.get(record.name)
        state = states[record]
        epoch = epochs_done(place, record, state)
        accuracy = None
        if held and held.summary and state == "done":
            epoch = record.epochs
            accuracy = held.summary[LAST10]
        trials.append(
            {
                "name": record.name,
                "setting": record.setting,
                "arm": record.arm,
                "seed": record.seed,
                "state": state,
                "epoch": epoch,
                "epochs": record.epochs,
                LAST10: accuracy,
            }
        )
    found: dict[str, Any] = {
        "results": str(place.root),
        "counts": dict(Counter(states.values())),
        "trials": trials,
        "failures": status.failures(place, states),
        "time_left_s": seconds_left(place, states, snapshot.files),
        "running": bool(place.runners()),
    }
    if place.root.joinpath(JOURNAL).is_file():
        from orchestrator.display.search_live import searches_as_data

        found["searches"] = searches_as_data(place)
    return found
