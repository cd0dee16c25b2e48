"""Contract of a study's results folder: the state of each trial.

Layout: `study.yaml`, `trials.json`, `provenance.json`, `study.lock`,
`runs/[<setting>/]<arm>/seed=<n>/`, `archive/<time>/…`, `report/`; file names are in
`trainable/storage/names.py`. The commands status, plan, run, shard and report all call
`study_states`. It reads files only, with the standard library. It therefore works while a study
runs, after a node has failed, and without torch, Ray or pandas.
"""

from collections.abc import Container, Iterable, Mapping
from typing import Any, Literal, get_args

from analysis.results.other_data import other_data
from analysis.results.study_plan import TrialRecord
from analysis.results.trial_files import Files, TrialFiles

State = Literal[
    "done", "stopped", "running", "partial", "failed", "blocked", "stale", "damaged", "todo"
]
STATES: tuple[State, ...] = get_args(State)
States = Mapping[TrialRecord, State]
"""Planned trial → its state."""


def trial_state(
    files: TrialFiles, planned_id: str, max_failures: int, owner_alive: bool = False
) -> State:
    """Return the state of one trial, without regard to its dependencies.

    Args:
        files: contents of its folder.
        planned_id: id of the trial that the study plans in this folder.
        max_failures: number of failed attempts after which it is not run again.
        owner_alive: whether the process that owns the folder may still run.
    """
    if files.damage is not None:
        return "damaged"
    if files.trial is None:
        return "todo"
    if files.id != planned_id:
        return "stale"
    if files.summary is not None:
        return "done"
    if files.stopped is not None:
        return "stopped"
    if files.failure is not None and _given_up(files.failure, max_failures):
        return "failed"
    if owner_alive:
        return "running"
    return "partial" if files.has_checkpoint else "todo"


def _given_up(failure: dict[str, Any], max_failures: int) -> bool:
    return not failure.get("retry", False) or failure.get("attempts", 1) > max_failures


def study_states(
    records: Iterable[TrialRecord],
    files: Files,
    max_failures: int,
    owned: Container[str] = (),
) -> dict[TrialRecord, State]:
    """Return the state of each planned trial.

    It is blocked if a dependency has failed, and stale if it has other data than a newer trial.

    Args:
        records: the planned trials.
        files: name → contents of their folders; missing folders may be omitted.
        max_failures: number of failed attempts after which a trial is not run again.
        owned: names of the trials whose owner may still run.
    """
    absent = TrialFiles()
    states: dict[TrialRecord, State] = {}
    for record in records:
        held = files.get(record.name, absent)
        states[record] = trial_state(held, record.id, max_failures, record.name in owned)
    states.update(dict.fromkeys(on_other_data(states, files), "stale"))
    states.update(dict.fromkeys(_blocked(states), "blocked"))
    return states


def on_other_data(states: States, files: Files) -> dict[TrialRecord, str]:
    """Return the trials with other data than a newer one of the study, with a reason for each."""
    completed = {}
    for record in states:
        held = files.get(record.name)
        if held is not None and held.summary is not None and held.id == record.id:
            completed[record] = held
    return other_data(completed)


def _blocked(states: dict[TrialRecord, State]) -> list[TrialRecord]:
    """Return the trials that wait for a trial that has failed, directly or by others."""
    by_name = {record.name: record for record in states}
    blocked: dict[TrialRecord, bool] = {}
    for record in states:
        chain = []
        while record not in blocked:
            waits = states[record] in ("todo", "partial")
            if not waits or record.source not in by_name:
                blocked[record] = states[record] == "failed"
                break
            chain.append(record)
            record = by_name[record.source]
        blocked.update(dict.fromkeys(chain, blocked[record]))
    return [record for record, waits in blocked.items() if waits and states[record] != "failed"]
