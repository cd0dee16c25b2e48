"""One run of a study: find the missing trials, train them, compare the arms."""

import importlib
import shlex
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from analysis.results.study_folder import State, States
from analysis.results.study_plan import TrialRecord
from orchestrator.display.status_page import counted
from orchestrator.execution.resources import CannotRun
from orchestrator.exit_codes import DONE, FAILED, REFUSED, WRONG, Ended
from orchestrator.results.store import Store
from orchestrator.run.executor import Execute, executor
from orchestrator.run.registration import begin
from orchestrator.scheduling.dependency_queue import DependencyQueue, longest_first
from orchestrator.scheduling.run_plan import RunPlan, plan_run
from orchestrator.scheduling.trial_selection import Options, check_selection, check_useful
from orchestrator.scheduling.trial_source import TrialSource
from orchestrator.study.load import Study
from orchestrator.study.planned_trial import PlannedTrial
from trainable.config.runtime import Machine
from trainable.storage import names

if TYPE_CHECKING:
    from orchestrator.display.live import View


IMPORT_AFTER_S = 30.0
"""The modules of the report, which take seconds to import, are imported so long after the start:
while trials are trained, and not while the first of them begin."""


def run_study(
    study: Study, store: Store, machine: Machine, options: Options, console: Console
) -> int:
    """Run what is missing, show the comparison, and return the exit code.

    Raises:
        Ended: refused, or the data is wrong, or there is no space.
        Locked: another process runs the study.
    """
    states, interrupted = train_missing(study, store, machine, options, console)
    show_end(store, list(states), states, console)
    return exit_code(states, interrupted, options)


def train_missing(
    study: Study, store: Store, machine: Machine, options: Options, console: Console
) -> tuple[dict[TrialRecord, State], int | None]:
    """Run what is missing.

    Returns:
        The state of each trial of the study, and the signal that stopped the run, if one did.

    Raises:
        Ended, Locked: see `run_study`.
    """
    records = [trial.record for trial in study.trials]
    max_failures = study.file.run.max_failures
    check_selection(options, study)
    check_useful(options, study)
    with store.lock(console.print):
        plan = plan_run(study.trials, store.snapshot(records), max_failures, options)
        todo = begin(study, plan, store, machine, console)
        store.write_plan(study.text, study.plan)
        interrupted = None
        if todo:
            interrupted = _execute(study, store, todo, machine, options, console)
        else:
            _show_nothing_to_do(store, records, plan, console)
        return store.states(records, max_failures), interrupted


def exit_code(states: States, interrupted: int | None, options: Options) -> int:
    """Return the exit code of a run that ended with these states, or was stopped by a signal."""
    if interrupted is not None:
        return 128 + interrupted
    selected = [state for record, state in states.items() if options.selects(record)]
    return DONE if all(state == "done" for state in selected) else FAILED


def _show_nothing_to_do(
    store: Store, records: list[TrialRecord], plan: RunPlan, console: Console
) -> None:
    selected = sum(map(plan.options.selects, records))
    which = f"all {selected}" if selected == len(records) else f"the {selected} selected"
    blocked = " or are blocked" if plan.blocked else ""
    console.print(f"Nothing to do: {which} trials of {store.root} have ended{blocked}.")


def _execute(
    study: Study,
    store: Store,
    todo: list[PlannedTrial],
    machine: Machine,
    options: Options,
    console: Console,
) -> int | None:
    """Start an executor and run the trials; return the signal that stopped it, if one did."""
    from orchestrator.display.live import View

    records = [trial.record for trial in study.trials]
    source = DependencyQueue(longest_first(todo), store)
    headline = f"{study.name}: {len(todo)} of {len(records)} trials to run, results in {store.root}"
    with started(study, store, machine, options, console, headline) as execute:
        view = View(console, store, records, [trial.record for trial in todo], options.events)
        return train(execute, study, store, source, machine, view)


@contextmanager
def started(
    study: Study, store: Store, machine: Machine, options: Options, console: Console, headline: str
) -> Iterator[Execute]:
    """Print what will be trained and where to monitor it; yield the executor."""
    ahead = threading.Timer(IMPORT_AFTER_S, importlib.import_module, ["analysis.report.write"])
    ahead.daemon = True
    ahead.start()
    from orchestrator.results import provenance

    provenance.record(store.root)
    console.print(headline)
    for warning in study.warnings:
        console.print(f"note: {warning}")
    shown = shlex.quote(str(store.root))
    console.print(f"TensorBoard:   python -m orchestrator tensorboard {shown}")
    data = {trial.config.data for trial in study.trials}
    try:
        with executor(options, store.root, data, machine, console) as execute:
            yield execute
    except CannotRun as error:
        raise Ended(str(error), WRONG) from None
    finally:
        ahead.cancel()


def train(
    execute: Execute,
    study: Study,
    store: Store,
    source: TrialSource,
    machine: Machine,
    view: "View",
) -> int | None:
    """Run the trials of a source; the number of the signal that stopped it, if one did."""
    stop = execute(study, store, source, machine, view)
    if stop.lost:
        raise Ended(f"stopped: {stop.lost}", REFUSED)
    if stop.dead:
        raise Ended(
            f"stopped: {stop.dead}. Run it again: completed trials are kept, the others resume.",
            FAILED,
        )
    if stop.no_space:
        raise Ended(
            f"stopped: {stop.no_space}\nFree disk space, or pass another --results folder, and run "
            "again: completed trials are kept, the others resume from their checkpoints.",
            REFUSED,
        )
    return stop.signal


def show_end(
    store: Store,
    records: list[TrialRecord],
    states: dict[TrialRecord, State],
    console: Console,
    searched: Iterable[TrialRecord] = (),
) -> None:
    """Show failures, the comparison, and the paths of all results.

    Args:
        store: the study's results.
        records: all trials of the study.
        states: state of each trial that was selected.
        console: where it is shown.
        searched: trials of a search: they belong to the study, and are not compared.
    """
    from analysis.report.write import write
    from analysis.results.read import read_results
    from orchestrator.display.comparison_table import show

    show_failures(store, states, console)
    show_retry(states, console)
    searched = list(searched)
    done = "done" in states.values()
    if done or searched:
        results = read_results(store.root)
        write(results)
        if done:
            show(results, console)
        console.print(f"Report:      {store.root / names.REPORT / names.REPORT_PAGE}")
    console.print(f"Results:     {store.root} ({counted(states)})")
    shown = shlex.quote(str(store.root))
    console.print(f"TensorBoard: python -m orchestrator tensorboard {shown}")
    uncounted = store.uncounted([*records, *searched])
    if uncounted:
        first = ", ".join(uncounted[:5])
        if len(uncounted) > 5:
            first += ", …"
        console.print(f"note: {len(uncounted)} trials on disk are not in the study: {first}")


def show_failures(store: Store, states: dict[TrialRecord, State], console: Console) -> None:
    """Show which trials have failed, and which are not run because of them."""
    from orchestrator.display.status import blocked, failed, in_state, loud

    for line in failed(store, states):
        loud(console).print(line)
    for line in blocked(in_state(states, "blocked")):
        loud(console).print(line)


def show_retry(states: States, console: Console) -> None:
    """Show how failed trials are tried again, if there are any."""
    if {"failed", "blocked"} & {*states.values()}:
        console.print("Failed trials are tried again with --retry-failed.")


def study_machine(study_dir: Path, data: Path, study: Study) -> Machine:
    """The machine's settings for a study's trials."""
    run = study.file.run
    return Machine(
        study_dir=study_dir.resolve(),
        data_dir=data.resolve(),
        threads=max(1, int(study.file.resources.cpu)),
        checkpoint_every=run.checkpoint_every,
        trial_timeout=run.trial_timeout,
        resident=run.resident,
        compile=run.compile,
        pictures_every=run.pictures_every,
    )
