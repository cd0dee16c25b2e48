"""One share of a study's missing trials without Ray, for a task of a job array.

The trials run one after another, in a process of their own. Shares of one array have no trial in
common, whenever each begins, because they follow from the ids of all trials. They write into one
results folder at the same time; a run of the whole study, or shares of other trials, are refused.
"""

import functools
import hashlib
import shlex
from dataclasses import replace

from rich.console import Console

from analysis.results import looks
from analysis.results.study_folder import State
from analysis.results.study_plan import TrialRecord
from orchestrator.display.live import View
from orchestrator.display.status_page import counted
from orchestrator.execution.resources import CannotRun, requested, this_machine
from orchestrator.exit_codes import DONE, FAILED, WRONG, Ended
from orchestrator.local_backend.execute import execute
from orchestrator.results import provenance
from orchestrator.results.lock import guarded
from orchestrator.results.store import Store
from orchestrator.run.executor import Execute
from orchestrator.run.registration import begin
from orchestrator.run.run_sequential import design_sentences, plan_now
from orchestrator.run.run_study import show_failures, show_retry, train
from orchestrator.scheduling.dependency_queue import DependencyQueue
from orchestrator.scheduling.run_plan import plan_run
from orchestrator.scheduling.trial_selection import Options, check_selection, check_useful
from orchestrator.study.load import Study
from orchestrator.study.planned_trial import PlannedTrial
from trainable.config.runtime import Machine


def run_shard(
    study: Study,
    index: int,
    of: int,
    store: Store,
    machine: Machine,
    options: Options,
    console: Console,
) -> int:
    """Train the missing trials of share `index` (from 0) of `of`, and return the exit code.

    Raises:
        Ended: the arguments, the data or the place are wrong, or trials are stale.
        Locked: another process runs the study, this share, or a share of another number of shares.
    """
    if study.search is not None:
        raise Ended("a search proposes one trial after another; shard runs ablations", WRONG)
    if not 0 <= index < of:
        raise Ended(f"--index {index} --of {of}: the index counts from 0 to {of - 1}", WRONG)
    check_selection(options, study)
    check_useful(options, study)
    share = share_of(study.trials, index, of)
    records = [trial.record for trial in share if options.selects(trial.record)]
    _check_resources(study)
    interrupted = None
    with store.shard_lock(index, of, _digest(study.trials), console.print):
        with guarded(store.root):  # other shares write these files too
            planned = study
            if study.sequential:
                planned = _join(study, store, options, console)
            store.write_plan(planned.text, planned.plan)
            provenance.record(store.root)
        needed = {trial.record.name for trial in planned.trials}
        snapshot = store.snapshot(trial.record for trial in share)
        plan = plan_run(share, snapshot, study.file.run.max_failures, options)
        plan = replace(plan, todo=[trial for trial in plan.todo if trial.record.name in needed])
        records = [record for record in records if record.name in needed]
        todo = begin(study, plan, store, machine, console)
        console.print(
            f"{study.name}, shard {index} of {of}: {len(todo)} of {len(records)} trials to run"
        )
        view = View(console, store, records, [trial.record for trial in todo])
        if todo:
            source = DependencyQueue(todo, store)
            interrupted = train(one_at_a_time, study, store, source, machine, view)
    every = store.states([trial.record for trial in share], study.file.run.max_failures)
    states = {record: every[record] for record in records}
    _show_end(store, states, console)
    if study.sequential:
        console.print(
            "Seeds are added until the questions are decided: run the array again once all its "
            "shares have ended, until there is nothing to run."
        )
    if interrupted is not None:
        return 128 + interrupted
    return DONE if all(state == "done" for state in states.values()) else FAILED


def _join(study: Study, store: Store, options: Options, console: Console) -> Study:
    """Let new arms of a study that adds seeds join; return it with the trials needed now."""
    plan = plan_now(study, store, options)
    looks.add_entries(store.root, plan.joining)
    for line in design_sentences(plan):
        console.print(f"note: {line}")
    return replace(study, trials=plan.needs.trials, design=plan.design)


one_at_a_time: Execute = functools.partial(execute, at_most=1)
"""Trains one trial after another."""


def _check_resources(study: Study) -> None:
    """Raise Ended if one trial asks for more than this machine has."""
    try:
        requested(study.file.resources, [this_machine()])
    except CannotRun as error:
        raise Ended(str(error), WRONG) from None


def _digest(trials: list[PlannedTrial]) -> str:
    """A digest of the trials' ids."""
    ids = sorted(trial.record.id for trial in trials)
    return hashlib.sha256("".join(ids).encode()).hexdigest()[:12]


def _show_end(store: Store, states: dict[TrialRecord, State], console: Console) -> None:
    """Show the failures of a share and the path of its results."""
    show_failures(store, states, console)
    show_retry(states, console)
    console.print(f"Results: {store.root} (this share: {counted(states) or 'no trials'})")
    folder = shlex.quote(str(store.root))
    console.print(f"Report:  python -m orchestrator report {folder}")


def share_of(trials: list[PlannedTrial], index: int, of: int) -> list[PlannedTrial]:
    """Every `of`-th trial in the order of the ids, so that arms and seeds are spread over shares.

    A trial that uses another one is in the share of that one.
    """
    named = {trial.record.name: trial.record for trial in trials}

    def first(trial: PlannedTrial) -> str:
        record = trial.record
        while record.source:
            record = named[record.source]
        return record.id

    chosen = {*sorted({first(trial) for trial in trials})[index::of]}
    return [trial for trial in trials if first(trial) in chosen]
