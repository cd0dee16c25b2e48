"""The command `plan`: what a run would do."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from analysis.results.measure import of_summary
from analysis.results.study_plan import NoStudy
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

app = typer.Typer()


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
        print(json.dumps(found.to_dict() | {"warnings": planned.warnings}, indent=1))
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
        console.print(line)
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
        console.print(f"a run refuses this: {refusal(found, place)}")
    elif found.archive:
        console.print(f"to archive: {', '.join(found.archive)}")
    for line in damage_sentences(found.damaged):
        console.print(f"{line}; a run trains it again")
    for old, new in found.moves.items():
        console.print(f"to move: {old} to {new}, the same trial under its new name")
    if found.forget:
        console.print(f"to try again: {', '.join(record.name for record in found.forget)}")
    fresh = [trial.record for trial in found.todo if found.states[trial.record] != "partial"]
    resumed = len(found.todo) - len(fresh)
    epochs = sum(record.epochs for record in fresh)
    console.print(
        f"to train: {epochs} epochs in {len(fresh)} trials, "
        f"and the rest of {resumed} partial trials"
    )
    begun = []
    for record, state in found.states.items():
        if selects(record) or state not in ("todo", "blocked"):
            begun.append(record)
    lines = [*comparison_families.order(list(states)), *comparison_families.describe(begun)]
    for line in [*lines, *tested]:
        console.print(line)
    for warning in [*study.warnings, *of_data, *found.problems, *found.notes]:
        console.print(f"warning: {warning}")
    for line in blocked(found.blocked):
        console.print(line)


def _plan_search(planned: Study, search: SearchPlan, place: Store, data: Path, cost: bool) -> None:
    from orchestrator.run import plan_search

    for line in plan_search.lines(search, place):
        console.print(line)
    machine = run_study.study_machine(planned.path.parent, data, planned)
    if plan_search.confirmed(search, place):
        missing = []
    else:
        missing = list(search.expected(plan_search.missing(search, place)))
    lacking = absent(missing, machine)
    tested, small = test_sets(missing, machine)
    for line in tested:
        console.print(line)
    for warning in [*planned.warnings, *lacking, *unread_files(missing, machine), *small]:
        console.print(f"warning: {warning}")
    if cost:
        if lacking:
            raise Ended("the cost cannot be measured without them", WRONG)
        from orchestrator.run.cost import show_cost

        console.print(
            "upper bound, without early stopping, from the cost of the baseline and the arms:"
        )
        show_cost(planned, missing, place, machine, console)
