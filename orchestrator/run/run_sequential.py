"""One run of a study that adds seeds: train, judge, and train what is still open."""

from collections.abc import Iterator
from dataclasses import replace

from rich.console import Console

from analysis.results import looks
from analysis.results.looks import read_register
from analysis.results.study_plan import NoStudy, SequentialDesign
from analysis.stats.attainable_p import FEWEST_SEEDS
from analysis.stats.sequential import fewest_seeds
from orchestrator.display.live import View
from orchestrator.exit_codes import DONE, FAILED
from orchestrator.results.store import Store
from orchestrator.run.registration import begin
from orchestrator.run.run_study import show_end, started, train
from orchestrator.scheduling.sequential_plan import (
    SequentialPlan,
    plan_sequential,
    refuse_fixed_results,
)
from orchestrator.scheduling.sequential_queue import SequentialQueue
from orchestrator.scheduling.trial_selection import Options, check_selection, check_useful
from orchestrator.study.load import Study
from orchestrator.study.planned_trial import PlannedTrial
from trainable.config.runtime import Machine
from trainable.storage import names


def run_sequential(
    study: Study, store: Store, machine: Machine, options: Options, console: Console
) -> int:
    """Run what the open questions need, show the comparison, and return the exit code.

    Raises:
        Ended: refused, or the data is wrong, or there is no space.
        Locked: another process runs the study.
    """
    check_selection(options, study)
    check_useful(options, study)
    with store.lock(console.print):
        plan = plan_now(study, store, options)
        todo = begin(study, plan.run, store, machine, console)
        write_plan(study, store, plan.design, plan.needs.trials)
        looks.add_entries(store.root, plan.joining)
        for line in design_sentences(plan):
            console.print(f"note: {line}")
        interrupted = None
        out_of_time = False
        if todo:
            source = _source(study, store, plan, options)
            interrupted = _execute(study, store, source, machine, options, console)
            out_of_time = source.out_of_time
            if out_of_time:
                # Trials that were still needed, and that this run did not begin, are not missing.
                write_plan(study, store, plan.design, source.begun)
        else:
            console.print("Nothing to do: no question needs another trial.")
        planned = store.read_plan().records
        selected = [record for record in planned if options.selects(record)]
        states = store.states(selected, study.file.run.max_failures)
    show_end(store, planned, states, console)
    if out_of_time:
        console.print(
            "run.budget.hours is used up: these are the answers so far. Raise it to go on."
        )
    if interrupted is not None:
        return 128 + interrupted
    return DONE if all(state == "done" for state in states.values()) else FAILED


def plan_now(study: Study, store: Store, options: Options) -> SequentialPlan:
    """Decide what a run does first, from the results folder.

    Raises:
        Ended: the folder has results of a fixed list of seeds that were looked at.
    """
    snapshot = store.snapshot(trial.record for trial in study.trials)
    register = read_register(store.root)
    fixed = False
    try:
        fixed = store.read_plan().design is None
        first_run = False
    except NoStudy:
        first_run = True
    reported = (store.root / names.REPORT).is_dir()
    if fixed and reported and not register.joined:
        refuse_fixed_results(study, snapshot, str(store.runs))
    looked_at = not first_run and (bool(register.joined) or reported or not fixed)
    return plan_sequential(study, snapshot, register, looked_at, options)


def write_plan(
    study: Study, store: Store, design: SequentialDesign, trials: list[PlannedTrial]
) -> None:
    """Write the trials that are needed so far as the study's plan."""
    so_far = replace(study, trials=trials, design=design)
    store.write_plan(so_far.text, so_far.plan)


def design_sentences(plan: SequentialPlan) -> Iterator[str]:
    """Say which arms join a study that has begun, and where there are too few seeds."""
    late = [arm for arm in plan.joining if arm.start]
    if late:
        arms = ", ".join(dict.fromkeys(arm.arm for arm in late))
        seeds = max(arm.start for arm in late)
        yield (
            f"{arms}: judged by seeds from the {seeds + 1}th on, because the baseline's results on "
            f"the first {seeds} may be known"
        )
    yield from dict.fromkeys(_too_few_seeds(plan))


def _too_few_seeds(plan: SequentialPlan) -> Iterator[str]:
    """Yield a sentence for each family none of whose questions can be answered."""
    design = plan.design
    begun = len(plan.joining) < len(design.arms)
    members: dict[tuple[str | None, str, int], list[int]] = {}
    for arm in design.arms:
        members.setdefault((arm.setting, arm.family, arm.generation), []).append(arm.start)
    for (_, family, generation), starts in members.items():
        fewest = min(starts) + fewest_seeds(len(starts), generation)
        if design.at_most >= fewest:
            continue
        sentence = (
            f"family {family}: {design.at_most} seeds (seeds.at_most) cannot answer any of "
            f"{len(starts)} questions, however large the differences are: {fewest} are needed"
        )
        if not begun:
            sentence += f". A list, `seeds: [{design.first}, …]`, needs {FEWEST_SEEDS}"
        yield sentence


def _source(study: Study, store: Store, plan: SequentialPlan, options: Options) -> SequentialQueue:
    run = study.file.run
    hours = run.budget.hours if run.budget else None
    return SequentialQueue(
        trials=study.trials,
        design=plan.design,
        margin=study.file.analysis.margin,
        found=plan.found,
        options=options,
        store=store,
        max_failures=run.max_failures,
        hours=hours,
    )


def _execute(
    study: Study,
    store: Store,
    source: SequentialQueue,
    machine: Machine,
    options: Options,
    console: Console,
) -> int | None:
    """Train what the source gives out; return the signal that stopped it, if one did."""
    records = [trial.record for trial in source.needed.trials]
    todo = [trial.record for trial in source.waiting]
    headline = (
        f"{study.name}: {len(todo)} of {len(records)} trials to run, and more until the questions "
        f"are decided, results in {store.root}"
    )
    view = View(console, store, records, todo, options.events)

    def grow(added: list[PlannedTrial]) -> None:
        write_plan(study, store, source.design, source.needed.trials)
        view.extend([trial.record for trial in added])

    source.when_growing(grow)
    with started(study, store, machine, options, console, headline) as execute:
        return train(execute, study, store, source, machine, view)
