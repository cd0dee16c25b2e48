"""One share of a study's missing trials without Ray, for a task of a job array.

The trials run one after another in this process. Shares of one array have no trial in common,
whenever each of them begins: they follow from the ids of all trials. They write into one results
folder at the same time; shares of other trials, and a run of the whole study, exclude them.
"""

import hashlib
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType

from rich.console import Console

from analysis.results.study_folder import State, TrialRecord
from orchestrator.display.live import View
from orchestrator.display.status import blocked, failures, in_state
from orchestrator.display.tensorboard import write_layout
from orchestrator.exit_codes import DONE, FAILED, REFUSED, WRONG, Ended
from orchestrator.ray_backend.resources import CannotRun, Node, requested
from orchestrator.results import provenance
from orchestrator.results.lock import guarded
from orchestrator.results.store import Store
from orchestrator.run.run_study import TRY_AGAIN, counted
from orchestrator.scheduling.dependency_queue import DependencyQueue
from orchestrator.scheduling.run_plan import apply_plan, plan_run
from orchestrator.scheduling.trial_selection import Options, check_selection
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
    # Before torch is imported, which reads it.
    os.environ.setdefault("OMP_NUM_THREADS", str(machine.threads))
    share = share_of(study.trials, index, of)
    records = [trial.record for trial in share if options.selects(trial.record)]
    with store.shard_lock(index, of, _digest(study.trials)), terminable():
        machine = _here(study, machine)
        snapshot = store.snapshot(trial.record for trial in share)
        plan = plan_run(share, snapshot, study.file.run.max_failures, options)
        todo = apply_plan(plan, store, machine, console)
        with guarded(store.root):  # other shares write these files too
            store.write_plan(study.text, study.plan)
            provenance.record(store.root)
            write_layout(store.runs, [trial.record for trial in study.trials])
        console.print(
            f"{study.name}, shard {index} of {of}: {len(todo)} of {len(records)} trials to run",
            markup=False,
        )
        view = View(console, store, records, [trial.record for trial in todo])
        _train(study, todo, store, machine, view)
    every = store.states([trial.record for trial in share], study.file.run.max_failures)
    states = {record: every[record] for record in records}
    _show_end(store, states, console)
    return DONE if all(state == "done" for state in states.values()) else FAILED


def _digest(trials: list[PlannedTrial]) -> str:
    """A word that is the same for equal trials."""
    ids = sorted(trial.record.id for trial in trials)
    return hashlib.sha256("".join(ids).encode()).hexdigest()[:12]


def _show_end(store: Store, states: dict[TrialRecord, State], console: Console) -> None:
    """What failed in a share, and where its results are."""
    for failure in failures(store, states):
        console.print(
            f"failed: {failure['name']}: {failure['kind']}: {failure['message']}", markup=False
        )
    for line in blocked(in_state(states, "blocked")):
        console.print(line, markup=False)
    if {"failed", "blocked"} & {*states.values()}:
        console.print(TRY_AGAIN, markup=False)
    console.print(
        f"Results: {store.root} (this share: {counted(states) or 'no trials'})", markup=False
    )
    console.print(f"Report:  python -m orchestrator report {store.root}", markup=False)


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


def _here(study: Study, machine: Machine) -> Machine:
    """The machine as one trial after another may use it. Raises Ended if it is too small."""
    from trainable.trial.trial import choose_device

    if hasattr(os, "sched_getaffinity"):
        cpus = len(os.sched_getaffinity(0))
    else:
        cpus = os.cpu_count() or 1
    gpus = 1.0 if choose_device("auto").type == "cuda" else 0.0
    node = Node(socket.gethostname(), cpus, gpus)
    try:
        _, gpu = requested(study.file.resources, [node])
    except CannotRun as error:
        raise Ended(str(error), WRONG) from None
    return machine.sharing(gpu)


def _train(
    study: Study, todo: list[PlannedTrial], store: Store, machine: Machine, view: View
) -> None:
    queue = DependencyQueue(todo, store)
    with view, tempfile.TemporaryDirectory() as shared:
        machine = replace(machine, shared_dir=Path(shared))
        while trial := queue.next():
            name = trial.record.name
            view.started(name)
            _attempt(trial, study.file.run.max_failures, store, machine, view)
            for ended in [name, *queue.settle(name)]:
                view.ended(ended)


def _attempt(
    trial: PlannedTrial, max_failures: int, store: Store, machine: Machine, view: View
) -> None:
    """Train a trial until it is done, or has failed too often.

    Raises:
        Ended: nothing can be written.
    """
    from trainable.storage.trial_folder import LostFolder
    from trainable.trial.session import Session

    record = trial.record
    folder = store.folder(record)
    machine = replace(machine, source_dir=store.source_dir(record))
    place: dict[str, str | int] = {
        "setting": record.setting or "",
        "arm": record.arm,
        "seed": record.seed,
    }
    failed_before = (folder.failure or {}).get("attempts", 0)
    for _ in range(max_failures + 1 - failed_before):
        try:
            session = Session(trial.config, folder.path, machine, place)
            try:
                while not session.finished:
                    row = session.advance()
                    if row:
                        view.epoch(record.name, row)
            finally:
                session.close()
        except LostFolder as error:
            raise Ended(str(error), REFUSED) from None
        except Exception:  # it is in failure.json
            continue
        if session.no_space:
            raise Ended(f"stopped: {session.no_space}", REFUSED)
        return


@contextmanager
def terminable() -> Iterator[None]:
    """Let SIGTERM end the trial after its last whole epoch.

    Batch systems announce the end of the time with it.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
