"""What a run of a study does, decided before anything is changed; and the changes on disk that come before training.

`plan_run` is pure: it sees what the folders held at one moment. `plan` prints its answer; `run`, `shard` and the
confirmation of a search apply it. So what `plan` prints is what they do.
"""

import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console

from analysis.results.study_folder import State, TrialFiles, TrialRecord, study_states, trial_name
from orchestrator.exit_codes import REFUSED, WRONG, Ended
from orchestrator.results.store import MOVING, Snapshot, Store
from orchestrator.scheduling.trial_selection import Options
from orchestrator.study.planned_trial import PlannedTrial
from trainable.config.models import missing_package
from trainable.config.runtime import Machine
from trainable.data.paths import missing
from trainable.storage.code_version import code_hash

SHOWN = 20
"""Names of trials that one message lists at most."""


@dataclass(frozen=True)
class RunPlan:
    """What a run does.

    Attributes:
        states: the state of every planned trial that is in the run's scope, once renamed trials have been moved.
        todo: the trials to train, in the study's order.
        moves: completed trials that the study has under another name now: old name → new name.
        outdated: trials that the study (with `same_code`: the code) does not compute any more.
        archive: the names under which these are on disk.
        forget: trials whose failures are forgotten, so that they are tried again.
        blocked: trials that are not run because one that they depend on has failed.
        problems: sentences about dependencies that a selection leaves out: the run cannot begin.
        notes: sentences about comparisons that will lack their baseline.
        options: what the run was asked to do.
    """

    states: dict[TrialRecord, State]
    todo: list[PlannedTrial]
    moves: dict[str, str]
    outdated: list[TrialRecord]
    archive: list[str]
    forget: list[TrialRecord]
    blocked: list[TrialRecord]
    problems: list[str]
    notes: list[str]
    options: Options

    @property
    def refused(self) -> bool:
        """Whether the run ends at once, because it may not archive outdated trials."""
        return bool(self.outdated) and self.options.stale == "refuse"

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain data, for scripts; of a refused one nothing is done."""
        return {
            "refused": self.refused,
            "problems": self.problems,
            "train": [trial.record.name for trial in self.todo],
            "move": self.moves,
            "archive": self.archive,
            "forget_failures": [record.name for record in self.forget],
            "blocked": [record.name for record in self.blocked],
            "states": {record.name: state for record, state in self.states.items()},
        }


def plan_run(
    trials: Sequence[PlannedTrial], snapshot: Snapshot, max_failures: int, options: Options
) -> RunPlan:
    """Decide what a run does with these trials of a study.

    Args:
        trials: all trials in the run's scope, selected or not: a study's, or a shard's.
        snapshot: what their folders, and others on disk, hold.
        max_failures: failed attempts after which a trial is not tried again.
        options: what the run was asked to do.
    """
    records = [trial.record for trial in trials]
    selected = [record for record in records if options.selects(record)]

    moves = renamed(records, snapshot.files)
    found = study_states(records, moved(snapshot.files, moves), max_failures, snapshot.owned)
    outdated = _outdated(selected, found, moved(snapshot.files, moves), options)
    old_names = {new: old for old, new in moves.items()}
    archive = [old_names.get(record.name, record.name) for record in outdated]

    files = {name: held for name, held in snapshot.files.items() if name not in archive}
    moves = renamed(
        records, files
    )  # also into places that are free once outdated trials are archived
    files = moved(files, moves)
    forget = []
    if options.retry_failed:
        forget = [
            record
            for record in selected
            if files.get(record.name, TrialFiles()).failure is not None
        ]
        files = files | {
            record.name: replace(files[record.name], failure=None) for record in forget
        }
    states = study_states(records, files, max_failures, snapshot.owned)

    ended = ("done",) if options.retry_failed else ("done", "failed", "blocked")
    todo = [
        trial
        for trial in trials
        if options.selects(trial.record) and states[trial.record] not in ended
    ]
    return RunPlan(
        states=found,
        todo=todo,
        moves=moves,
        outdated=outdated,
        archive=archive,
        forget=forget,
        blocked=[record for record, state in states.items() if state == "blocked"],
        problems=list(absent_sources(todo, states)),
        notes=list(absent_baselines(todo, states)),
        options=options,
    )


def apply_plan(
    plan: RunPlan, store: Store, machine: Machine, console: Console
) -> list[PlannedTrial]:
    """Change on disk what has to be changed before training; returns the trials to train.

    Raises:
        Ended: outdated trials may not be archived, or data, a package or a dependency is absent. Nothing is changed.
    """
    if wrong := [*absent(plan.todo, machine), *plan.problems]:
        raise Ended("\n".join(wrong), WRONG)
    if plan.refused:
        raise Ended(refusal(plan, store), REFUSED)
    if plan.archive:
        console.print(
            f"{len(plan.archive)} stale trials moved to {store.set_aside(plan.archive)}",
            markup=False,
        )
    store.rename(plan.moves)
    for line in move_sentences(plan.moves):
        console.print(line, markup=False)
    store.forget_failures(plan.forget)
    for line in plan.notes:
        console.print(f"note: {line}", markup=False)
    return plan.todo


def longest_first(trials: list[PlannedTrial]) -> list[PlannedTrial]:
    """The trials, of each seed and setting the longest first: slots end together, and seeds are still whole early."""

    def length(trial: PlannedTrial) -> int:
        return trial.config.train.epochs * trial.config.method.networks

    groups = itertools.groupby(trials, lambda trial: (trial.record.seed, trial.record.setting))
    return [trial for _, group in groups for trial in sorted(group, key=length, reverse=True)]


# --- renamed trials ---


def renamed(records: Sequence[TrialRecord], files: Mapping[str, TrialFiles]) -> dict[str, str]:
    """Completed trials on disk that the study has under another name: old name → new name.

    A trial whose place is taken by another one stays, and so does what wanted its own place.
    """
    planned = {record.name: record.id for record in records}
    misplaced = {
        held.id: name
        for name, held in files.items()
        if held.summary is not None and planned.get(name) != held.id
    }
    moves = {}
    for record in records:
        there = files.get(record.name, TrialFiles())
        if record.id in misplaced and there.id != record.id:
            moves[misplaced[record.id]] = record.name
    while taken := [
        old
        for old, new in moves.items()
        if new not in moves and files.get(new, TrialFiles()).exists
    ]:
        for old in taken:
            del moves[old]
    return moves


def moved(files: Mapping[str, TrialFiles], moves: Mapping[str, str]) -> dict[str, TrialFiles]:
    """What the folders hold after the moves."""
    staying = {name: held for name, held in files.items() if name not in moves}
    return staying | {new: files[old] for old, new in moves.items()}


def move_sentences(moves: Mapping[str, str]) -> Iterator[str]:
    """A sentence for each renamed trial."""
    for old, new in moves.items():
        before = re.sub(rf"^{re.escape(MOVING)}/[^/]*/", "", old)
        yield f"moved {before} to {new}: the same trial under its new name"


# --- outdated trials ---


def _outdated(
    selected: Iterable[TrialRecord],
    states: Mapping[TrialRecord, State],
    files: Mapping[str, TrialFiles],
    options: Options,
) -> list[TrialRecord]:
    """Selected trials that the study (with `same_code`: the code) does not compute any more."""
    code = code_hash() if options.same_code else None
    old = []
    for record in selected:
        made_by = files.get(record.name, TrialFiles()).code
        other_code = code is not None and states[record] != "todo" and made_by not in (None, code)
        if states[record] == "stale" or other_code:
            old.append(record)
    return old


def refusal(plan: RunPlan, store: Store) -> str:
    """Why a run is refused, and what can be done."""
    shown = "\n".join(f"  {record.name}" for record in plan.outdated[:SHOWN])
    more = "\n  …" if len(plan.outdated) > SHOWN else ""
    what = "settings or code" if plan.options.same_code else "settings"
    return (
        f"{len(plan.outdated)} trials in {store.runs} were run with other {what} than the study has now:\n"
        f"{shown}{more}\n"
        "Keep them aside and run anew with --stale archive, or choose another --results or another study name."
    )


# --- what is absent ---


def absent(trials: Sequence[PlannedTrial], machine: Machine) -> list[str]:
    """Sentences about data sets and packages that are not there."""
    data = (missing(data, machine) for data in {trial.config.data for trial in trials})
    packages = (missing_package(name) for name in {trial.config.model.name for trial in trials})
    return sorted(filter(None, [*data, *packages]))


def absent_sources(todo: list[PlannedTrial], states: Mapping[TrialRecord, State]) -> Iterator[str]:
    """Sentences about arms that the trials use and that a selection left out before they were done."""
    for (arm, source), left_out in _left_out(
        todo, states, lambda record: record.source, ("done",)
    ).items():
        yield f"--arms: {arm} uses the trials of {source}, and not all are done ({left_out}): name {source} too"


def absent_baselines(
    todo: list[PlannedTrial], states: Mapping[TrialRecord, State]
) -> Iterator[str]:
    """Sentences about arms whose baseline a selection left out before it was done: they will lack pairs."""

    def partner(record: TrialRecord) -> str | None:
        return trial_name(record.setting, record.baseline, record.seed) if record.baseline else None

    settled: tuple[State, ...] = ("done", "failed", "blocked", "running")
    for (arm, baseline), left_out in _left_out(todo, states, partner, settled).items():
        yield f"--arms: {arm} is compared with {baseline}, of which {left_out} is not done: name {baseline} too"


def _left_out(
    todo: list[PlannedTrial],
    states: Mapping[TrialRecord, State],
    needed: Callable[[TrialRecord], str | None],
    settled: tuple[State, ...],
) -> dict[tuple[str, str], str]:
    """(arm, arm that it needs) → names of trials that it needs and that are neither to run nor settled."""
    chosen = {trial.record.name for trial in todo}
    by_name = {record.name: record for record in states}
    lacking: dict[tuple[str, str], list[str]] = {}
    for trial in todo:
        other = by_name.get(needed(trial.record) or "")
        if other and other.name not in chosen and states[other] not in settled:
            lacking.setdefault((trial.record.arm, other.arm), []).append(other.name)
    return {
        arms: ", ".join(found[:3]) + (", …" if len(found) > 3 else "")
        for arms, found in lacking.items()
    }
