"""What of a study is to be trained: what was asked for, is not done, and can be run. Stale trials are settled first."""

import itertools
from collections.abc import Callable, Container, Iterator

from rich.console import Console

from orchestrator.exit_codes import REFUSED, WRONG, Ended
from orchestrator.results.store import State, Store, TrialRecord, trial_name
from orchestrator.scheduling.selection import Options
from orchestrator.study.load import Study
from orchestrator.study.planned_trial import PlannedTrial
from trainable.config.models import missing_package
from trainable.config.runtime import Machine
from trainable.data.paths import missing
from trainable.storage.code_version import code_hash


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


def absent(trials: list[PlannedTrial], machine: Machine) -> list[str]:
    """Sentences about data sets and packages that are not there."""
    data = (missing(data, machine) for data in {trial.config.data for trial in trials})
    packages = (missing_package(name) for name in {trial.config.model.name for trial in trials})
    return sorted(filter(None, [*data, *packages]))


def absent_sources(todo: list[PlannedTrial], states: dict[TrialRecord, State]) -> Iterator[str]:
    """Sentences about arms that the trials use and that a selection left out before they were done."""
    for (arm, source), names in _left_out(todo, states, lambda record: record.source, ("done",)).items():
        yield f"--arms: {arm} uses the trials of {source}, and not all are done ({names}): name {source} too"


def absent_baselines(todo: list[PlannedTrial], states: dict[TrialRecord, State]) -> Iterator[str]:
    """Sentences about arms whose baseline a selection left out before it was done: they will lack pairs."""

    def partner(record: TrialRecord) -> str | None:
        return trial_name(record.setting, record.baseline, record.seed) if record.baseline else None

    for (arm, baseline), names in _left_out(todo, states, partner, ("done", "failed", "blocked", "running")).items():
        yield f"--arms: {arm} is compared with {baseline}, of which {names} is not done: name {baseline} too"


def _left_out(
    todo: list[PlannedTrial],
    states: dict[TrialRecord, State],
    needed: Callable[[TrialRecord], str | None],
    settled: tuple[State, ...],
) -> dict[tuple[str, str], str]:
    """(arm, arm that it needs) → names of trials that it needs and that are neither to run nor settled."""
    chosen, named = {trial.record.name for trial in todo}, {record.name: record for record in states}
    lacking: dict[tuple[str, str], list[str]] = {}
    for record in (trial.record for trial in todo):
        other = named.get(needed(record) or "")
        if other and other.name not in chosen and states[other] not in settled:
            lacking.setdefault((record.arm, other.arm), []).append(other.name)
    return {arms: ", ".join(names[:3]) + (", …" if len(names) > 3 else "") for arms, names in lacking.items()}


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
