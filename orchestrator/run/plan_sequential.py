"""What `plan` says of a study that adds seeds: its next trials, and what its design can find."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from analysis.results.measure import TRUSTED, Measure, of_summary
from analysis.results.study_plan import TrialRecord
from analysis.stats.prospects import Prospect, prospects
from orchestrator.display.time_left import duration
from orchestrator.results.store import Store
from orchestrator.run.run_sequential import design_sentences, plan_now
from orchestrator.scheduling.run_plan import RunPlan
from orchestrator.scheduling.sequential_plan import SequentialPlan
from orchestrator.scheduling.trial_selection import Options
from orchestrator.study.load import Study
from orchestrator.study.schema import SequentialFile
from trainable.storage.names import EPOCH_SECONDS


def planned(
    study: Study, store: Store, options: Options, describe: bool = True
) -> tuple[RunPlan, list[str]]:
    """Return what a run does first, and sentences about what follows if `describe` is true.

    Raises:
        Ended: the folder has results of a fixed list of seeds that were looked at.
    """
    plan = plan_now(study, store, options)
    names = {trial.record.name for trial in plan.needs.trials}
    states = {record: state for record, state in plan.run.states.items() if record.name in names}
    run = replace(plan.run, states=states)
    if not describe:
        return run, []
    return run, list(_sentences(study, store, plan))


def _sentences(study: Study, store: Store, plan: SequentialPlan) -> Iterator[str]:
    assert isinstance(study.file, SequentialFile)
    yield from design_sentences(plan)
    decided = [each for each in plan.needs.judged if each.answer.decided]
    if decided:
        verdicts = Counter(each.answer.verdict for each in decided)
        listed = ", ".join(f"{count} {verdict}" for verdict, count in verdicts.items())
        by = _measure(store, plan)
        on = "" if by.decides else f", by {by.name}: the report withholds verdicts"
        count = f"{len(decided)} of {len(plan.needs.judged)} questions"
        yield f"decided so far: {count} ({listed}{on})"
    families = Counter((arm.setting, arm.family) for arm in plan.design.arms)
    seeds = study.file.seeds
    yield f"seeds are added until each question is decided, {seeds.at_least} to {seeds.at_most}"
    if not families:
        return
    largest = max(families.values())
    seconds = _seconds_a_trial(store, [trial.record for trial in plan.needs.trials])
    yield f"by simulation, {largest} arms in one family, sd of the paired differences:"
    for prospect in prospects(largest, seeds.at_least, seeds.at_most):
        yield f"  {_prospect(prospect, sum(families.values()), len(_settings(plan)), seconds)}"


def _measure(store: Store, plan: SequentialPlan) -> Measure:
    """Return what the accuracies of the completed trials measure."""
    for trial in plan.needs.trials:
        found = of_summary(store.folder(trial.record).summary or {})
        if not found.decides:
            return found
    return TRUSTED


def _settings(plan: SequentialPlan) -> set[str | None]:
    return {arm.setting for arm in plan.design.arms}


def _prospect(prospect: Prospect, arms: int, settings: int, seconds: float | None) -> str:
    """Write what is found of an effect, and the trials if all arms have it."""
    trials = prospect.seeds * arms + prospect.baseline_seeds * settings
    what = f"all differ by {prospect.effect:g} sd: {100 * prospect.decided:.0f} % found better"
    if not prospect.effect:
        what = f"none differs, margin 1 sd: {100 * prospect.decided:.0f} % shown equivalent"
    text = f"{what}, about {trials:.0f} trials"
    if seconds is not None:
        text += f", {duration(trials * seconds)} of training one after another"
    return text


def _seconds_a_trial(store: Store, records: Sequence[TrialRecord]) -> float | None:
    """Return the mean seconds of completed trials; None if there are none."""
    found = []
    for record in records:
        summary = store.folder(record).summary
        if summary and EPOCH_SECONDS in summary:
            found.append(float(summary[EPOCH_SECONDS]))
    return sum(found) / len(found) if found else None
