"""Sentences about the state of a study, read from files, for `status` and for runs."""

from collections.abc import Iterable
from typing import Any

from rich.console import Console

from analysis.results.measure import UNCHECKED, of_summary
from analysis.results.mixed_fingerprints import mixed, without_checksums
from analysis.results.study_folder import State, on_other_data
from analysis.results.study_plan import TrialRecord
from analysis.results.trial_files import Files
from orchestrator.plain_console import plain_console
from orchestrator.results.store import Store


def failures(store: Store, states: dict[TrialRecord, State]) -> list[dict[str, Any]]:
    """Return name, kind and message of each failed trial."""
    found = []
    for record in in_state(states, "failed"):
        failure = store.folder(record).failure
        if failure:
            found.append(
                {"name": record.name, "kind": failure["kind"], "message": failure["message"]}
            )
    return found


def failed(store: Store, states: dict[TrialRecord, State]) -> list[str]:
    """Return a sentence for each failed trial."""
    return [
        f"failed: {failure['name']}: {failure['kind']}: {failure['message']}"
        for failure in failures(store, states)
    ]


def blocked(records: Iterable[TrialRecord]) -> list[str]:
    """Return a sentence for each blocked trial, which depends on a failed one."""
    return [
        f"blocked: {record.name} uses {record.source}, which has no result" for record in records
    ]


def in_state(states: dict[TrialRecord, State], state: State) -> list[TrialRecord]:
    """Return the trials in this state."""
    return [record for record, found in states.items() if found == state]


def stale(states: dict[TrialRecord, State], files: Files) -> list[str]:
    """Return a sentence for each trial with other data than a newer one."""
    if "stale" not in states.values():
        return []
    reasons = on_other_data(states, files)
    return [f"stale: {record.name}: {reason}" for record, reason in reasons.items()]


def damaged(states: dict[TrialRecord, State], files: Files) -> list[str]:
    """Return a sentence for each damaged trial, with the file; a run trains it again."""
    records = in_state(states, "damaged")
    return [f"damaged: {record.name}: {files[record.name].damage}" for record in records]


def notes(records: list[TrialRecord], states: dict[TrialRecord, State], files: Files) -> list[str]:
    """Return sentences about completed trials: unchecked labels, different code, no checksums."""
    done = []
    labels = []
    for record in records:
        if states[record] == "done":
            done.append((record.name, files[record.name].trial or {}))
            if not of_summary(files[record.name].summary or {}).decides:
                labels = [f"accuracies are {UNCHECKED.name}"]
    return [*labels, *mixed(done), *without_checksums(done)]


def loud(console: Console) -> Console:
    """Return a console for messages that are never suppressed: stderr if `console` is quiet."""
    if console.quiet:
        return plain_console(stderr=True)
    return console
