"""Decide what a run does, and make the changes on disk that precede training.

`plan_run` is a pure function of a snapshot of the folders. `plan` prints its result; `run`, `shard`
and the confirmation of a search apply it. They therefore do what `plan` prints.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rich.console import Console

from analysis.results.study_folder import State, States, on_other_data, study_states
from analysis.results.study_plan import TrialRecord
from analysis.results.trial_files import Files
from orchestrator.exit_codes import REFUSED, WRONG, Ended
from orchestrator.results.store import Snapshot, Store
from orchestrator.scheduling.renamed_trials import (
    Moves,
    held,
    move_sentences,
    moved,
    renamed,
)
from orchestrator.scheduling.requirements import (
    absent,
    absent_baselines,
    absent_sources,
    unread_files,
)
from orchestrator.scheduling.trial_selection import Options
from orchestrator.study.planned_trial import PlannedTrial
from trainable.config.runtime import Machine
from trainable.config.trial import SCHEMA
from trainable.storage.code_version import code_hash

SHOWN = 20
"""Maximum number of trials listed in one message."""
EARLIER = "trained by an earlier version of this program, which gives other results"


@dataclass(frozen=True)
class RunPlan:
    """Actions of a run.

    `states` and what a run archives are decided by the folders before archiving, `moves` and
    `forget` by those after it. `todo`, `blocked`, `problems` and `notes` follow from the states
    after all of these.

    Attributes:
        states: the state of every planned trial in the run's scope, after renamed trials have been
            moved, before others are archived.
        todo: the trials to train, in the study's order.
        moves: completed trials that were renamed in the study: old name → new name.
        outdated: trials that the study (with `same_code`: the code) no longer computes.
        reasons: outdated trials of an earlier version, or with other data than a newer trial → a
            sentence.
        damaged: trials with a damaged file → what is damaged; they are archived and trained again.
        archive: the names of outdated and damaged trials on disk.
        replaced: the names of completed trials that are archived because they are outdated.
        forget: trials whose failures are removed, so that they run again.
        blocked: trials that are not run because a trial they depend on has failed.
        problems: sentences about dependencies that a selection excludes; the run cannot start.
        notes: sentences about comparisons that will lack their baseline.
        options: options of the run.
        files: contents of the folders on disk, as they are named now.
    """

    states: dict[TrialRecord, State]
    todo: list[PlannedTrial]
    moves: dict[str, str]
    outdated: list[TrialRecord]
    reasons: dict[TrialRecord, str]
    damaged: dict[TrialRecord, str]
    archive: list[str]
    replaced: list[str]
    forget: list[TrialRecord]
    blocked: list[TrialRecord]
    problems: list[str]
    notes: list[str]
    options: Options
    files: Files

    @property
    def refused(self) -> bool:
        """Whether the run ends at once, because it must not archive outdated trials."""
        return bool(self.outdated) and self.options.stale == "refuse"

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain data for scripts. A refused plan is not applied."""
        return {
            "refused": self.refused,
            "problems": self.problems,
            "train": [trial.record.name for trial in self.todo],
            "move": self.moves,
            "damaged": {record.name: damage for record, damage in self.damaged.items()},
            "archive": self.archive,
            "forget_failures": [record.name for record in self.forget],
            "blocked": [record.name for record in self.blocked],
            "states": {record.name: state for record, state in self.states.items()},
        }


def plan_run(
    trials: Sequence[PlannedTrial],
    snapshot: Snapshot,
    max_failures: int,
    options: Options,
) -> RunPlan:
    """Decide what a run does with these trials of a study.

    Args:
        trials: all trials of the study or shard, selected or not.
        snapshot: contents of their folders and of others on disk.
        max_failures: number of failed attempts after which a trial is not run again.
        options: options of the run.
    """
    records = [trial.record for trial in trials]
    selected = [record for record in records if options.selects(record)]

    moves = renamed(records, snapshot.files)
    files = moved(snapshot.files, moves)
    states = study_states(records, files, max_failures, snapshot.owned)
    outdated = _outdated(selected, states, files, options)
    damaged = _damaged(selected, files)
    archive = _names_on_disk([*outdated, *damaged], moves)
    replaced = []
    for name in _names_on_disk(outdated, moves):
        if snapshot.files[name].summary is not None:
            replaced.append(name)

    # Trials may also move to folders that are free after outdated trials were archived.
    kept = {name: content for name, content in snapshot.files.items() if name not in archive}
    moves_after = renamed(records, kept)
    files_after = moved(kept, moves_after)
    forget = []
    if options.retry_failed:
        forget = _with_failure(selected, files_after)
    for record in forget:
        files_after[record.name] = replace(files_after[record.name], failure=None)
    states_after = study_states(records, files_after, max_failures, snapshot.owned)
    todo = _trials_to_train(trials, states_after, options)
    return RunPlan(
        states=states,
        todo=todo,
        moves=moves_after,
        outdated=outdated,
        reasons=_reasons(outdated, states, files),
        damaged=damaged,
        archive=archive,
        replaced=replaced,
        forget=forget,
        blocked=[record for record, state in states_after.items() if state == "blocked"],
        problems=list(absent_sources(todo, states_after)),
        notes=list(absent_baselines(todo, states_after)),
        options=options,
        files=snapshot.files,
    )


def _trials_to_train(
    trials: Sequence[PlannedTrial],
    states: States,
    options: Options,
) -> list[PlannedTrial]:
    """Return the selected trials that have not ended."""
    ended: tuple[State, ...] = ("done", "failed", "blocked")
    if options.retry_failed:
        ended = ("done",)
    todo = []
    for trial in trials:
        if options.selects(trial.record) and states[trial.record] not in ended:
            todo.append(trial)
    return todo


def _with_failure(records: Iterable[TrialRecord], files: Files) -> list[TrialRecord]:
    """Return the trials whose folder holds a failure."""
    failed = []
    for record in records:
        if held(files, record.name).failure is not None:
            failed.append(record)
    return failed


def check_plan(plan: RunPlan, store: Store, machine: Machine) -> None:
    """Check that a run can do what is planned.

    Raises:
        Ended: outdated trials must not be archived, or data, a package or a dependency is missing.
    """
    wrong = absent(plan.todo, machine) + plan.problems
    if wrong:
        raise Ended("\n".join(wrong), WRONG)
    if plan.refused:
        raise Ended(refusal(plan, store), REFUSED)


def apply_plan(
    plan: RunPlan,
    store: Store,
    machine: Machine,
    console: Console,
) -> list[PlannedTrial]:
    """Make the changes on disk that precede training; return the trials to train."""
    if plan.archive:
        folder = store.set_aside(plan.archive)
        stale = len(plan.archive) - len(plan.damaged)
        if stale:
            console.print(f"{stale} stale trials moved to {folder}")
        for line in damage_sentences(plan.damaged):
            console.print(f"{line}; moved to {folder}")
    store.rename(plan.moves)
    for line in move_sentences(plan.moves):
        console.print(line)
    store.forget_failures(plan.forget)
    for line in [*plan.notes, *unread_files(plan.todo, machine)]:
        console.print(f"note: {line}")
    return plan.todo


def _outdated(
    selected: Iterable[TrialRecord],
    states: States,
    files: Files,
    options: Options,
) -> list[TrialRecord]:
    """Return selected trials that the study (with `same_code`: the code) no longer computes."""
    code = code_hash() if options.same_code else None
    outdated = []
    for record in selected:
        state = states[record]
        made_by = held(files, record.name).code
        ran = state not in ("todo", "damaged")
        other_code = code is not None and ran and made_by not in (None, code)
        if state == "stale" or other_code:
            outdated.append(record)
    return outdated


def _reasons(
    outdated: Sequence[TrialRecord], states: States, files: Files
) -> dict[TrialRecord, str]:
    """Return reasons of an earlier version and of other data; other outdated trials have none."""
    if not outdated:
        return {}
    reasons = on_other_data(states, files)
    for record in outdated:
        schema = held(files, record.name).schema
        if schema is None or schema < SCHEMA:
            reasons[record] = EARLIER
    return reasons


def _damaged(selected: Iterable[TrialRecord], files: Files) -> dict[TrialRecord, str]:
    """Return what is damaged in the folders of selected trials."""
    found = {}
    for record in selected:
        damage = held(files, record.name).damage
        if damage is not None:
            found[record] = damage
    return found


def damage_sentences(damaged: Mapping[TrialRecord, str]) -> Iterator[str]:
    """Yield a sentence for each damaged trial; a run trains it again."""
    for record, damage in damaged.items():
        yield f"damaged: {record.name}: {damage}"


def _names_on_disk(records: Iterable[TrialRecord], moves: Moves) -> list[str]:
    """Return the names under which trials are on disk before the moves."""
    old_names = {new: old for old, new in moves.items()}
    return [old_names.get(record.name, record.name) for record in records]


def refusal(plan: RunPlan, store: Store) -> str:
    """Return the reason of a refusal, and the options of the user."""
    number = len(plan.outdated)
    choices = (
        "Pass --stale archive to archive them and run these trials again, "
        "or choose another --results folder or another study name."
    )
    if all(plan.reasons.get(record) == EARLIER for record in plan.outdated):
        return f"{number} trials in {store.runs} were {EARLIER}. {choices}"
    what = "settings, data or code" if plan.options.same_code else "settings or data"
    lines = [f"{number} trials in {store.runs} were run with other {what} than the study has now:"]
    for record in plan.outdated[:SHOWN]:
        reason = plan.reasons.get(record)
        lines.append(f"  {record.name}: {reason}" if reason else f"  {record.name}")
    if number > SHOWN:
        lines.append("  …")
    lines.append(choices)
    return "\n".join(lines)
