"""The commands that take a study file: run, shard, plan."""

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from analysis.results.measure import of_summary
from analysis.results.study_plan import NoStudy
from orchestrator.cli.on_end import on_end as run_at_end
from orchestrator.cli.options import (
    DataDir,
    Results,
    RetryFailed,
    SameCode,
    Seeds,
    Sets,
    Several,
    Stale,
    StudyPath,
    Track,
    console,
)
from orchestrator.cli.selection import selected
from orchestrator.display.status import blocked
from orchestrator.display.status_page import show_states
from orchestrator.execution.resources import exceeding_this_machine
from orchestrator.exit_codes import WRONG, Ended
from orchestrator.results.store import Store
from orchestrator.run import run_study
from orchestrator.scheduling.requirements import absent, test_sets, unread_files
from orchestrator.scheduling.run_plan import RunPlan, damage_sentences, plan_run, refusal
from orchestrator.scheduling.trial_selection import Options, check_selection, useless
from orchestrator.study import comparison_families
from orchestrator.study.load import Study, load_study
from orchestrator.study.search_definition import SearchPlan
from orchestrator.trackers.repeat import tracked
from orchestrator.trackers.target import parse_target

app = typer.Typer()


@app.command("run")
def run_command(
    study_path: StudyPath,
    results: Results = Path("results"),
    sets: Sets = None,
    data: DataDir = Path("data"),
    arms: Several = "",
    seeds: Seeds = "",
    settings: Several = "",
    stale: Stale = "refuse",
    same_code: SameCode = False,
    retry_failed: RetryFailed = False,
    dashboard: Annotated[bool, typer.Option(help="Start Ray's dashboard.")] = True,
    dashboard_host: Annotated[
        str,
        typer.Option(
            help="Host that the dashboard listens on; by default only this machine can reach it."
        ),
    ] = "127.0.0.1",
    ray: Annotated[
        bool, typer.Option(help="Train on Ray; --no-ray: in processes of this machine.")
    ] = True,
    address: Annotated[
        str | None,
        typer.Option(
            metavar="auto|HOST:PORT",
            help="Use this Ray cluster; every node must see the --results folder.",
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing but failures.")
    ] = False,
    events: Annotated[
        bool, typer.Option("--json", help="Print one JSON object an event, for scripts.")
    ] = False,
    try_: Annotated[
        bool,
        typer.Option(
            "--try",
            help="Only try: baseline and one arm, 3 epochs, without Ray, in a temporary folder.",
        ),
    ] = False,
    track: Track = None,
    profile: Annotated[
        str,
        typer.Option(
            metavar="ARM", help="Only profile one epoch of an arm: time by phase, and a trace."
        ),
    ] = "",
    on_end: Annotated[
        str,
        typer.Option(
            metavar="CMD",
            help="Run this shell command at the end, with DIVIDEMIX_EXIT_CODE and "
            "DIVIDEMIX_RUN_DIR.",
        ),
    ] = "",
) -> None:
    """Run what is missing, then compare a study's arms, or a search's best configurations."""
    if address and not ray:
        raise Ended("--address names a Ray cluster, and --no-ray uses none: leave one out", WRONG)
    if try_ and (address or events or profile or track):
        raise Ended(
            "--try is a short run in processes of this machine: leave out --address, --json, "
            "--profile and --track",
            WRONG,
        )
    target = parse_target(track, "--track") if track else None
    planned = load_study(study_path, sets)
    place = Store(results / planned.name)
    shown = Console(highlight=False, soft_wrap=True, quiet=quiet or events)
    options = Options(
        stale=stale,
        same_code=same_code,
        retry_failed=retry_failed,
        dashboard=dashboard_host if dashboard else None,
        ray=ray,
        address=address,
        events=events,
        **selected(planned, arms, seeds, settings),
    )
    machine = run_study.study_machine(study_path.parent, data, planned)
    if profile:
        from orchestrator.run.profile import profile_arm

        profile_arm(planned, place, machine, profile, shown)
        return
    if try_:
        from orchestrator.run.try_study import try_study

        raise typer.Exit(try_study(planned, place, machine, options, shown))
    if planned.search is not None:
        from orchestrator.run.run_search import run_search as run_it
    elif planned.sequential:
        from orchestrator.run.run_sequential import run_sequential as run_it
    else:
        run_it = run_study.run_study
    say = partial(shown.print, markup=False)
    reported = _end_reported(place) if events else nullcontext()
    with run_at_end(on_end, place.root), reported, tracked(target, place.root, say):
        raise typer.Exit(run_it(planned, place, machine, options, shown))


@contextmanager
def _end_reported(place: Store) -> Iterator[None]:
    """Print how a run has ended as the last event."""
    from orchestrator.display.live import tell

    try:
        yield
    except Ended as error:
        tell("end", code=error.code, message=str(error))
        raise
    except typer.Exit as end:
        plan = place.read_plan()
        counts = Counter(place.states(plan.records, plan.max_failures).values())
        tell("end", code=end.exit_code, results=str(place.root), trials=dict(counts))
        raise


@app.command()
def shard(
    study_path: StudyPath,
    index: Annotated[int, typer.Option(help="The share of this task, counted from 0.")],
    of: Annotated[int, typer.Option(help="Number of shares.")],
    results: Results = Path("results"),
    sets: Sets = None,
    data: DataDir = Path("data"),
    arms: Several = "",
    seeds: Seeds = "",
    settings: Several = "",
    stale: Stale = "refuse",
    same_code: SameCode = False,
    retry_failed: RetryFailed = False,
    track: Track = None,
) -> None:
    """Run one share of what is missing without Ray, for the job arrays of batch systems."""
    from orchestrator.run.run_shard import run_shard

    target = parse_target(track, "--track") if track else None
    planned = load_study(study_path, sets)
    chosen = selected(planned, arms, seeds, settings)
    options = Options(stale=stale, same_code=same_code, retry_failed=retry_failed, **chosen)
    machine = run_study.study_machine(study_path.parent, data, planned)
    place = Store(results / planned.name)
    with tracked(target, place.root, partial(console.print, markup=False)):
        raise typer.Exit(run_shard(planned, index, of, place, machine, options, console))


@app.command()
def plan(
    study_path: StudyPath,
    results: Results = Path("results"),
    sets: Sets = None,
    data: DataDir = Path("data"),
    arms: Several = "",
    seeds: Seeds = "",
    settings: Several = "",
    stale: Stale = "refuse",
    same_code: SameCode = False,
    retry_failed: RetryFailed = False,
    cost: Annotated[
        bool, typer.Option("--cost", help="Time a few steps of each arm: hours and bytes.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the plan as JSON, for scripts.")
    ] = False,
) -> None:
    """Show what a run with the same options would do; starts nothing."""
    planned = load_study(study_path, sets)
    place = Store(results / planned.name)
    chosen = selected(planned, arms, seeds, settings)
    options = Options(stale=stale, same_code=same_code, retry_failed=retry_failed, **chosen)
    check_selection(options, planned)
    wrong = useless(options, planned)
    planned.warnings += str(wrong).splitlines() if wrong else []
    if planned.search is not None:
        if as_json:
            from orchestrator.run.plan_search import as_data

            warnings = {"warnings": planned.warnings}
            print(json.dumps(as_data(planned.search, place) | warnings, indent=1))
            return
        _plan_search(planned, planned.search, place, data, cost)
        return
    prospects: list[str] = []
    if planned.sequential:
        from orchestrator.run import plan_sequential

        found, prospects = plan_sequential.planned(planned, place, options, describe=not as_json)
    else:
        found = plan_run(
            planned.trials,
            place.snapshot(trial.record for trial in planned.trials),
            planned.file.run.max_failures,
            options,
        )
    if as_json:
        print(json.dumps(found.to_dict(), indent=1))
        return
    machine = run_study.study_machine(study_path.parent, data, planned)
    selected_trials = [trial for trial in planned.trials if options.selects(trial.record)]
    lacking = absent(selected_trials, machine)
    too_large = exceeding_this_machine(planned.file.resources)
    tested, small = test_sets(selected_trials, machine)
    _show_plan(
        planned,
        found,
        place,
        tested,
        [*lacking, *too_large, *unread_files(selected_trials, machine), *small],
    )
    for line in [*prospects, *_checks_needed(place, found)]:
        console.print(line, markup=False)
    if cost:
        if lacking:
            raise Ended("the cost cannot be measured without them", WRONG)
        from orchestrator.run.cost import show_cost

        show_cost(planned, found.todo, place, machine, console)


def _checks_needed(place: Store, found: RunPlan) -> Iterator[str]:
    """Yield how many test labels must be checked, if some trials were tested by unchecked ones."""
    summaries = [files.summary for files in found.files.values() if files.summary]
    if all(of_summary(summary).decides for summary in summaries):
        return
    from analysis.report.checks import checks_needed
    from analysis.results.read import read_results

    try:
        yield from checks_needed(read_results(place.root))
    except NoStudy:
        return


def _show_plan(
    study: Study, found: RunPlan, place: Store, tested: list[str], of_data: list[str]
) -> None:
    """Print what a run would do or refuse, and the comparisons that it plans.

    Args:
        study: the study.
        found: what a run would do.
        place: its results.
        tested: sentences about test sets.
        of_data: warnings about data and machine.
    """
    selects = found.options.selects
    states = {record: state for record, state in found.states.items() if selects(record)}
    show_states(place, list(states), states, found.files, console, found.moves)
    if found.refused:
        console.print(f"a run refuses this: {refusal(found, place)}", markup=False)
    elif found.archive:
        console.print(f"to archive: {', '.join(found.archive)}", markup=False)
    for line in damage_sentences(found.damaged):
        console.print(f"{line}; a run trains it again", markup=False)
    for old, new in found.moves.items():
        console.print(f"to move: {old} to {new}, the same trial under its new name", markup=False)
    if found.forget:
        console.print(
            f"to try again: {', '.join(record.name for record in found.forget)}", markup=False
        )
    fresh = [trial.record for trial in found.todo if found.states[trial.record] != "partial"]
    resumed = len(found.todo) - len(fresh)
    epochs = sum(record.epochs for record in fresh)
    console.print(
        f"to train: {epochs} epochs in {len(fresh)} trials, "
        f"and the rest of {resumed} partial trials",
        markup=False,
    )
    begun = []
    for record, state in found.states.items():
        if selects(record) or state not in ("todo", "blocked"):
            begun.append(record)
    lines = [*comparison_families.order(list(states)), *comparison_families.describe(begun)]
    for line in [*lines, *tested]:
        console.print(line, markup=False)
    for warning in [*study.warnings, *of_data, *found.problems, *found.notes]:
        console.print(f"warning: {warning}", markup=False)
    for line in blocked(found.blocked):
        console.print(line, markup=False)


def _plan_search(planned: Study, search: SearchPlan, place: Store, data: Path, cost: bool) -> None:
    from orchestrator.run import plan_search

    for line in plan_search.lines(search, place):
        console.print(line, markup=False)
    machine = run_study.study_machine(planned.path.parent, data, planned)
    if plan_search.confirmed(search, place):
        missing = []
    else:
        missing = list(search.expected(plan_search.missing(search, place)))
    lacking = absent(missing, machine)
    tested, small = test_sets(missing, machine)
    for line in tested:
        console.print(line, markup=False)
    for warning in [*planned.warnings, *lacking, *unread_files(missing, machine), *small]:
        console.print(f"warning: {warning}", markup=False)
    if cost:
        if lacking:
            raise Ended("the cost cannot be measured without them", WRONG)
        from orchestrator.run.cost import show_cost

        console.print(
            "upper bound, without early stopping, from the cost of the baseline and the arms:",
            markup=False,
        )
        show_cost(planned, missing, place, machine, console)
