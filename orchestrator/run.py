"""One run of a study: what is missing is found, trained, compared."""

import importlib
import itertools
import threading
from collections import Counter
from collections.abc import Container, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console

from orchestrator.expand import PlannedTrial
from orchestrator.resources import CannotRun
from orchestrator.store import STATES, State, Store, TrialRecord, trial_name
from orchestrator.study import Study
from trainable.code import code_hash
from trainable.data.locate import missing
from trainable.machine import Machine
from trainable.models.config import missing_package

if TYPE_CHECKING:
    from orchestrator.searches import Searches
    from orchestrator.view import View

DONE, FAILED, WRONG, REFUSED = 0, 1, 2, 3
TRY_AGAIN = "Failed trials are tried again with --retry-failed."


class Ended(Exception):
    """A run ends here, with a sentence and an exit code."""

    def __init__(self, message: str, code: int):
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Options:
    """What a run was asked to do besides the study. Empty selections mean all."""

    stale: Literal["refuse", "archive"] = "refuse"
    same_code: bool = False
    retry_failed: bool = False
    dashboard: str | None = "127.0.0.1"
    """The host that Ray's dashboard listens on; None for no dashboard."""
    address: str | None = None
    """A Ray cluster to use: `auto` or HOST:PORT; None for a Ray of our own."""
    events: bool = False
    """Print one JSON object an event."""
    arms: frozenset[str] = field(default_factory=frozenset)
    seeds: frozenset[int] = field(default_factory=frozenset)
    settings: frozenset[str] = field(default_factory=frozenset)

    def selects(self, record: TrialRecord) -> bool:
        """Whether a trial is among those that were asked for."""
        return (
            (not self.arms or record.arm in self.arms)
            and (not self.seeds or record.seed in self.seeds)
            and (not self.settings or record.setting in self.settings)
        )


def run_study(study: Study, store: Store, machine: Machine, options: Options, console: Console) -> int:
    """Run what is missing, show the comparison, and return the exit code.

    Raises:
        Ended: refused, or the data is wrong, or there is no space.
        Locked: another process runs the study.
    """
    records = [trial.record for trial in study.trials]
    failures = study.file.run.max_failures
    check_selection(options, study)
    with store.lock():
        todo = missing_trials(study, study.trials, store, machine, options, console)
        write_plan(study, store)
        states = store.states(records, failures)
        interrupted = None
        if todo:
            interrupted = _execute(study, store, todo, machine, options, console)
        else:
            selected = sum(map(options.selects, records))
            which = f"all {selected}" if selected == len(records) else f"the {selected} selected"
            blocked = " or are blocked" if "blocked" in states.values() else ""
            console.print(f"Nothing to do: {which} trials of {store.root} have ended{blocked}.", markup=False)
        states = store.states(records, failures)
    show_end(store, records, states, console)
    if interrupted is not None:
        return 128 + interrupted
    return DONE if all(state == "done" for record, state in states.items() if options.selects(record)) else FAILED


def missing_trials(
    study: Study, trials: list[PlannedTrial], store: Store, machine: Machine, options: Options, console: Console
) -> list[PlannedTrial]:
    """What of `trials` has to be trained, once renamed, stale and failed ones on disk are settled.

    Raises:
        Ended: trials are stale and may not be archived, or data or a package is not there.
    """
    records = [trial.record for trial in trials]
    failures = study.file.run.max_failures
    ended = ("done",) if options.retry_failed else ("done", "failed", "blocked")

    def unfinished(states: dict[TrialRecord, State], outdated: Container[TrialRecord] = ()) -> list[PlannedTrial]:
        chosen = [trial for trial in trials if options.selects(trial.record)]
        return [trial for trial in chosen if states[trial.record] not in ended or trial.record in outdated]

    adopt(store, records, console)
    states = store.states(records, failures)
    outdated = _outdated(store, states, options)
    todo = unfinished(states, outdated)
    if wrong := [*absent(todo, machine), *absent_sources(todo, states)]:  # before anything is archived or forgotten
        raise Ended("\n".join(wrong), WRONG)
    _settle_stale(store, outdated, options, console)
    adopt(store, records, console)  # into places that are free now
    if options.retry_failed:
        store.forget_failures(filter(options.selects, records))
    todo = unfinished(store.states(records, failures))
    for line in absent_baselines(todo, states):
        console.print(f"note: {line}", markup=False)
    return todo


def longest_first(trials: list[PlannedTrial]) -> list[PlannedTrial]:
    """The trials, of each seed and setting the longest first: slots end together, and seeds are still whole early."""

    def length(trial: PlannedTrial) -> int:
        return trial.config.train.epochs * trial.config.method.networks

    groups = itertools.groupby(trials, lambda trial: (trial.record.seed, trial.record.setting))
    return [trial for _, group in groups for trial in sorted(group, key=length, reverse=True)]


def write_plan(study: Study, store: Store) -> None:
    """Keep the study as it is run now."""
    file, records = study.file, [trial.record for trial in study.trials]
    factors = list(getattr(file, "factors", {}))
    store.write_plan(study.name, study.text, file.run.max_failures, records, file.analysis.margin, factors)


def absent(trials: list[PlannedTrial], machine: Machine) -> list[str]:
    """Sentences about data sets and packages that are not there."""
    data = (missing(data, machine) for data in {trial.config.data for trial in trials})
    packages = (missing_package(name) for name in {trial.config.model.name for trial in trials})
    return sorted(filter(None, [*data, *packages]))


def absent_sources(todo: list[PlannedTrial], states: dict[TrialRecord, State]) -> Iterator[str]:
    """Sentences about arms that the trials use and that a selection left out before they were done."""
    chosen, named = {trial.record.name for trial in todo}, {record.name: record for record in states}
    lacking: dict[tuple[str, str], list[str]] = {}
    for record in (trial.record for trial in todo if trial.record.source and trial.record.source not in chosen):
        source = named[str(record.source)]
        if states[source] != "done":
            lacking.setdefault((record.arm, source.arm), []).append(source.name)
    for (arm, source_arm), names in lacking.items():
        yield (
            f"--arms: {arm} uses the trials of {source_arm}, and not all are done ({_shown(names)}): "
            f"name {source_arm} too"
        )


def absent_baselines(todo: list[PlannedTrial], states: dict[TrialRecord, State]) -> Iterator[str]:
    """Sentences about arms whose baseline a selection left out before it was done: they will lack pairs."""
    chosen, named = {trial.record.name for trial in todo}, {record.name: record for record in states}
    lacking: dict[tuple[str, str], list[str]] = {}
    for record in (trial.record for trial in todo if trial.record.baseline):
        name = trial_name(record.setting, str(record.baseline), record.seed)
        if name in named and name not in chosen and states[named[name]] not in ("done", "failed", "blocked", "running"):
            lacking.setdefault((record.arm, str(record.baseline)), []).append(name)
    for (arm, baseline), names in lacking.items():
        yield f"--arms: {arm} is compared with {baseline}, of which {_shown(names)} is not done: name {baseline} too"


def _shown(names: list[str]) -> str:
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def check_selection(options: Options, study: Study) -> None:
    """Raises Ended if the study has not what the options choose, or is a search, which is whole or not at all."""
    if study.search is not None:
        if options.arms or options.seeds or options.settings:
            raise Ended(
                "--arms, --seeds and --settings choose among an ablation's trials; a search is run whole", WRONG
            )
        return
    records = [trial.record for trial in study.trials]
    for name, wanted, there in (
        ("--arms", {*options.arms}, {r.arm for r in records}),
        ("--seeds", {str(seed) for seed in options.seeds}, {str(r.seed) for r in records}),
        ("--settings", {*options.settings}, {r.setting for r in records if r.setting}),
    ):
        if unknown := wanted - there:
            known = ", ".join(sorted(there)) or "none"
            raise Ended(f"{name}: the study has no {', '.join(sorted(unknown))}; it has {known}", WRONG)

    if not any(map(options.selects, records)):
        raise Ended("the study has no trial with this --arms, --seeds and --settings together", WRONG)


def adopt(store: Store, records: list[TrialRecord], console: Console) -> None:
    """Move done trials to the names that the study has for them now."""
    for old, new in store.adopt(records):
        console.print(f"moved {old} to {new}: the same trial under its new name", markup=False)


def _outdated(store: Store, states: dict[TrialRecord, State], options: Options) -> list[TrialRecord]:
    """Selected trials that the study (with `same_code`: the code) does not compute any more."""
    chosen = {record: state for record, state in states.items() if options.selects(record)}
    old = [record for record, state in chosen.items() if state == "stale"]
    if options.same_code:
        code = code_hash()
        old += [
            r for r, state in chosen.items() if state not in ("stale", "todo") and store.code(r) not in (None, code)
        ]
    return old


def _settle_stale(store: Store, old: list[TrialRecord], options: Options, console: Console) -> None:
    """Refuse, or archive, outdated trials."""
    if old and options.stale == "archive":
        console.print(f"{len(old)} stale trials moved to {store.archive(old)}", markup=False)
    elif old:
        names = "\n".join(f"  {record.name}" for record in old[:20]) + ("\n  …" if len(old) > 20 else "")
        what = "settings or code" if options.same_code else "settings"
        raise Ended(
            f"{len(old)} trials in {store.runs} were run with other {what} than the study has now:\n{names}\n"
            "Keep them aside and run anew with --stale archive, or choose another --results or another study name.",
            REFUSED,
        )


def _execute(
    study: Study, store: Store, todo: list[PlannedTrial], machine: Machine, options: Options, console: Console
) -> int | None:
    """Start Ray and run the trials; the number of the signal that stopped it, if one did."""
    from orchestrator.view import View

    records = [trial.record for trial in study.trials]
    todo = longest_first(todo)
    headline = f"{study.name}: {len(todo)} of {len(records)} trials to run, results in {store.root}"
    with started(study, store, machine, options, console, headline):
        view = View(console, store, records, [trial.record for trial in todo], options.events)
        return train(study, store, todo, machine, view)


@contextmanager
def started(
    study: Study, store: Store, machine: Machine, options: Options, console: Console, headline: str
) -> Iterator[None]:
    """A Ray to train in, and where to watch."""
    threading.Thread(target=_import_ahead, daemon=True).start()
    from orchestrator import provenance
    from orchestrator.cluster import cluster
    from orchestrator.local_ray import local_ray, token_place
    from orchestrator.tensorboard import write_layout

    provenance.record(store.root)
    write_layout(store.runs, [trial.record for trial in study.trials])
    console.print(headline, markup=False)
    for warning in study.warnings:
        console.print(f"note: {warning}", markup=False)
    console.print(f"TensorBoard:   python -m orchestrator tensorboard {store.root}", markup=False)
    try:
        if options.address:
            with cluster(options.address, store.root, {trial.config.data for trial in study.trials}, machine):
                yield
        else:
            with local_ray(options.dashboard) as address:
                if address:
                    console.print(f"Ray dashboard: {address} (it asks for the token in {token_place()})", markup=False)
                yield
    except CannotRun as error:
        raise Ended(str(error), WRONG) from None


def _import_ahead() -> None:
    """Import, while the processor waits for Ray's services, what the run and its report need: seconds."""
    from orchestrator.local_ray import prepare

    prepare()
    for module in ("analysis.report", "orchestrator.execute"):
        importlib.import_module(module)


def train(
    study: Study, store: Store, work: "list[PlannedTrial] | Searches", machine: Machine, view: "View"
) -> int | None:
    """Run trials, or what searches propose; the number of the signal that stopped it, if one did."""
    from orchestrator.execute import execute

    stop = execute(study, store, work, machine, view)
    if stop.no_space:
        raise Ended(
            f"stopped: {stop.no_space}\nMake room or choose another --results, and run again: finished trials stay, "
            "the others go on from their checkpoints.",
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
    """The comparison, what failed, and where everything lies.

    `searched` are trials of a search: they are known, and not compared.
    """
    from analysis.report import write
    from orchestrator.comparison import show
    from orchestrator.monitor import blocked, failures, loud

    for failure in failures(store, states):
        loud(console).print(f"failed: {failure['name']}: {failure['kind']}: {failure['message']}", markup=False)
    for line in blocked(states):
        loud(console).print(line, markup=False)
    if {"failed", "blocked"} & {*states.values()}:
        console.print(TRY_AGAIN, markup=False)
    searched = list(searched)
    if "done" in states.values():
        show(store.root, console)
    if "done" in states.values() or searched:
        write(store.root)
        console.print(f"Report:      {store.root / 'report' / 'index.html'}", markup=False)
    console.print(f"Results:     {store.root} ({counted(states)})", markup=False)
    console.print(f"TensorBoard: python -m orchestrator tensorboard {store.root}", markup=False)
    if uncounted := store.uncounted([*records, *searched]):
        names = ", ".join(uncounted[:5]) + (", …" if len(uncounted) > 5 else "")
        console.print(f"note: {len(uncounted)} trials on disk are not in the study: {names}", markup=False)


def show_states(store: Store, records: list[TrialRecord], states: dict[TrialRecord, State], console: Console) -> None:
    """The state of every arm, and of all trials together."""
    from orchestrator.monitor import status_table

    console.print(status_table(store, records, states))
    console.print(f"{store.root}: {len(records)} trials: {counted(states)}", markup=False)


def counted(states: dict[TrialRecord, State]) -> str:
    """`3 done, 1 failed`."""
    counts = Counter(states.values())
    return ", ".join(f"{counts[state]} {state}" for state in STATES if counts[state])


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
