"""`run --try`: train a shortened study in a folder of its own, to see whether everything works."""

import shutil
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from analysis.results.study_plan import BASELINE
from orchestrator.display.time_left import duration
from orchestrator.exit_codes import DONE, WRONG, Ended
from orchestrator.results.store import Store
from orchestrator.run.cost import measure
from orchestrator.run.run_study import exit_code, show_failures, train_missing
from orchestrator.scheduling.disk_space import size
from orchestrator.scheduling.trial_selection import Options
from orchestrator.study.load import Study
from orchestrator.study.planned_trial import PlannedTrial
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig, trial_id
from trainable.storage import names

WARMUP_EPOCHS = 1
EPOCHS = 3
"""Number of epochs of a tried trial, warm-up included."""


def try_study(
    study: Study, store: Store, machine: Machine, options: Options, console: Console
) -> int:
    """Train the baseline and one other arm for a few epochs; say what all selected trials cost.

    The trials are those of a real run, from the data to the report, apart from the numbers of
    epochs. Local processes train them. Their results are in a new temporary folder, which is kept,
    and those of the study are not touched.

    Args:
        study: the study.
        store: its results, of which only the state is read.
        machine: settings of every trial.
        options: arms, seeds and settings from which the trials are chosen.
        console: where to print.

    Returns:
        The exit code of the short run.

    Raises:
        Ended: the data are wrong, or the study is a search.
    """
    if study.search is not None:
        raise Ended("--try: a search is not shortened; try an ablation of its baseline", WRONG)
    chosen = chosen_trials(study, options)
    short = replace(study, trials=[shortened(trial) for trial in chosen])
    folder = Path(tempfile.mkdtemp(prefix=f"try-{study.name}-"))
    place = Store(folder / study.name)
    local = Options(ray=False)
    start = time.monotonic()
    try:
        states, interrupted = train_missing(short, place, machine, local, console)
    except Ended:
        if not place.runs.exists():
            shutil.rmtree(folder)
        raise
    show_failures(place, states, console)
    code = exit_code(states, interrupted, local)
    if code == DONE:
        _report(place, console)
        took = duration(time.monotonic() - start)
        arms = " and ".join(trial.record.arm for trial in chosen)
        divides = any(trial.config.method.divides for trial in chosen)
        what = "Warm-up, division" if divides else "Training"
        console.print(f"{what} and report work: {arms}, in {took}.")
        console.print(_cost(study, store, machine, options))
    console.print(f"The try is in {folder}, and you may remove it.")
    return code


def _report(store: Store, console: Console) -> None:
    """Write the report, and print its path."""
    from analysis.report.write import write
    from analysis.results.read import read_results

    write(read_results(store.root))
    page = store.root / names.REPORT / names.REPORT_PAGE
    console.print(f"Report: {page} ({EPOCHS} epochs say nothing about accuracy)")


def _cost(study: Study, store: Store, machine: Machine, options: Options) -> str:
    """Say what all selected trials cost, completed ones included."""
    trials = [trial for trial in study.trials if options.selects(trial.record)]
    costs = measure(trials, store, machine)
    at_most = "at most " if study.sequential else ""
    without = f", without {', '.join(costs.unknown)}" if costs.unknown else ""
    return (
        f"The study has {at_most}{len(trials)} trials: {at_most}{duration(costs.seconds)} of "
        f"training on one slot{without}, {size(costs.kept)} kept."
    )


def chosen_trials(study: Study, options: Options) -> list[PlannedTrial]:
    """Return a trial of the baseline and one of the primary or the next arm, of the first seed.

    Arms that use the trials of another arm are left out: those would have to be trained, too.

    Raises:
        Ended: the selected trials are all of this kind.
    """
    selected = [
        trial
        for trial in study.trials
        if options.selects(trial.record) and trial.record.source is None
    ]
    if not selected:
        raise Ended("--try: every selected arm uses the trials of another arm", WRONG)
    first = selected[0].record
    here = {}
    for trial in selected:
        if (trial.record.setting, trial.record.seed) == (first.setting, first.seed):
            here[trial.record.arm] = trial
    preferred = [BASELINE, study.plan.primary or BASELINE, *here]
    arms = [arm for arm in dict.fromkeys(preferred) if arm in here]
    return [here[arm] for arm in arms[:2]]


def shortened(trial: PlannedTrial) -> PlannedTrial:
    """Return the trial with fewer epochs, of which at most one is warm-up."""
    config = trial.config
    train = config.train
    method = config.method
    if method.shortest_warmup >= WARMUP_EPOCHS:  # `auto` is 1 at least
        method = method.with_warmup(WARMUP_EPOCHS)
    epochs = min(EPOCHS, train.epochs)
    short: TrialConfig = config.model_copy(
        update={"train": train.model_copy(update={"epochs": epochs}), "method": method}
    )
    record = replace(trial.record, id=trial_id(short), epochs=epochs)
    return PlannedTrial(record, short)
