"""`plan` of a search: its space, budget, trials on disk and confirmation, read without Optuna."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from analysis.results.study_plan import NoStudy
from analysis.results.trial_files import read_files
from orchestrator.results.store import Store
from orchestrator.study import comparison_families
from orchestrator.study.search_definition import SearchPlan
from orchestrator.study.search_schema import Asha, Median, Parameter
from trainable.storage import names
from trainable.storage.trial_folder import TrialFolder


def lines(plan: SearchPlan, store: Store) -> Iterator[str]:
    """The lines that `plan` prints."""
    file = plan.file
    metrics = ", ".join(f"{metric.goal} {metric.name}" for metric in file.metric)
    yield (
        f"{metrics}; sampler {file.sampler.name} (seed {file.sampler.seed}), "
        f"scheduler {_scheduler(file.scheduler)}"
    )
    for search in plan.searches:
        name = search.arm or file.name
        present = on_disk(store, search.arm, file.seeds)
        yield f"search {name}: {plan.budget(search)} trials × {len(file.seeds)} seeds{present}"
        for dimension in search.space.dimensions:
            yield f"  {described(dimension.path, dimension.parameter)}"
        if present:
            # Imported here, because it imports SciPy.
            from analysis.report.search_ranks import sentence_of

            found = sentence_of(store.root, name, search.arm, file.seeds)
            if found is not None:
                yield f"note: {found}"
    stand_ins = list(plan.expected({}))
    epochs = sum(trial.record.epochs for trial in stand_ins)
    fresh = len(file.confirm.seeds)
    yield (
        f"confirmation: {len(stand_ins)} trials to full length, {epochs} epochs, "
        f"on {fresh} fresh seeds"
    )
    yield from comparison_families.describe(trial.record for trial in stand_ins)


def as_data(plan: SearchPlan, store: Store) -> dict[str, Any]:
    """Return the searches and the confirmation; docs/monitoring.md describes the keys."""
    left = missing(plan, store)
    searches = []
    for search in plan.searches:
        searches.append(
            {
                "name": search.arm or plan.file.name,
                "trials": plan.budget(search),
                "missing": left[search.arm],
                "seeds": plan.file.seeds,
                "space": search.space.described(),
                "on_disk": dict(_counts(store, search.arm, plan.file.seeds)),
            }
        )
    stand_ins = list(plan.expected({}))
    return {
        "searches": searches,
        "confirmation": {
            "trials": len(stand_ins),
            "epochs": sum(trial.record.epochs for trial in stand_ins),
            "seeds": plan.file.confirm.seeds,
            "ended": confirmed(plan, store),
        },
    }


def on_disk(store: Store, arm: str | None, seeds: list[int]) -> str:
    """`, on disk: 12 done, 5 stopped`; proposals that repeat an earlier one leave no folder."""
    counts = _counts(store, arm, seeds)
    if not counts:
        return ""
    listed = ", ".join(f"{count} {ending}" for ending, count in counts.items())
    return f", on disk: {listed}"


def missing(plan: SearchPlan, store: Store) -> dict[str | None, int]:
    """Return, for each arm, the number of Optuna trials that are not finished or not yet proposed.

    Proposals that repeat an earlier one, or are invalid, leave no folder. So the journal is read
    where folders are missing.
    """
    found = {}
    for search in plan.searches:
        counts = _counts(store, search.arm, plan.file.seeds)
        ended = (counts.total() - counts["begun"]) // len(plan.file.seeds)
        found[search.arm] = max(0, plan.budget(search) - ended)
    file = store.root / names.JOURNAL
    if not any(found.values()) or not file.exists():
        return found
    # Imported here, because it imports Optuna.
    from orchestrator.search.journal import finished

    for search in plan.searches:
        with suppress(NoStudy):  # damaged: `run` makes it anew from the folders
            ended = finished(file, search.arm or plan.file.name)
            found[search.arm] = max(0, plan.budget(search) - ended)
    return found


def confirmed(plan: SearchPlan, store: Store) -> bool:
    """Whether the search has ended and its confirmation too."""
    if any(missing(plan, store).values()):
        return False
    try:
        on_disk = store.read_plan()
    except NoStudy:
        return False
    seeds = {record.seed for record in on_disk.records}
    states = store.states(on_disk.records, on_disk.max_failures)
    if any(state not in ("done", "failed") for state in states.values()):
        return False
    if seeds != {*plan.file.confirm.seeds}:
        return False
    return len(on_disk.records) == len(list(plan.expected({})))


def _counts(store: Store, arm: str | None, seeds: list[int]) -> Counter[str]:
    """How the trials of a search have ended."""
    counts: Counter[str] = Counter()
    for path in store.runs.joinpath(arm or "").glob("trial-*"):
        for seed in seeds:
            folder = TrialFolder(path / f"seed={seed}")
            if folder.trial is not None:
                counts[_ending(folder)] += 1
    return counts


def _ending(folder: TrialFolder) -> str:
    if read_files(folder).damage:
        return "damaged"
    if folder.summary:
        return "done"
    if folder.stopped:
        return "stopped"
    if folder.failure:
        return "failed"
    return "begun"


def _scheduler(scheduler: Any) -> str:
    if isinstance(scheduler, Asha | Median):
        return f"{scheduler.name} (grace period {scheduler.grace_period})"
    return "none"


def described(path: str, parameter: Parameter) -> str:
    """`method.lambda_u: 0, 25, 50` or `train.lr: 0.005 to 0.1, log`."""
    if parameter.values is not None:
        text = ", ".join(map(_shown, parameter.values))
    else:
        text = f"{parameter.low} to {parameter.high}"
        if parameter.log:
            text += ", log"
        if parameter.step is not None:
            text += f", step {parameter.step}"
    if parameter.when:
        when = ", ".join(f"{other} is {_shown(value)}" for other, value in parameter.when.items())
        text += f" (when {when})"
    return f"{path}: {text}"


def _shown(value: Any) -> str:
    """A value as YAML writes it; several with `or` between them."""
    if isinstance(value, list):
        return " or ".join(map(_shown, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
