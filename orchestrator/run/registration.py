"""Register what a study asks, before its first trial, and note what a later run does otherwise."""

import time

from rich.console import Console

from analysis.results.registration import (
    Again,
    Question,
    Registered,
    add_entry,
    read_registration,
)
from orchestrator.results.lock import guarded
from orchestrator.results.store import Store
from orchestrator.scheduling.run_plan import RunPlan, apply_plan, check_plan
from orchestrator.study.load import Study
from orchestrator.study.planned_trial import PlannedTrial
from orchestrator.study.search_schema import SearchFile
from trainable.config.runtime import Machine
from trainable.config.trial import trial_id
from trainable.storage.checksums import text_checksum
from trainable.storage.names import LAST10


def question(study: Study) -> Question:
    """Return what a study asks, and how it judges."""
    file = study.file
    seeds = file.confirm.seeds if isinstance(file, SearchFile) else file.seeds
    arms = {}
    for trial in study.trials:
        name = trial.record.name.rpartition("/")[0]
        if name not in arms:
            arms[name] = trial_id(trial.config.model_copy(update={"seed": 0}))
    return Question(
        text=text_checksum(study.text),
        metric=LAST10,
        primary=study.plan.primary,
        margin=file.analysis.margin,
        seeds=seeds if isinstance(seeds, list) else seeds.model_dump(),
        arms=arms,
        test_noise=study.plan.test_noise,
    )


def begin(
    study: Study, plan: RunPlan, store: Store, machine: Machine, console: Console
) -> list[PlannedTrial]:
    """Register what a study asks, and make the changes on disk that precede training.

    Returns:
        The trials to train.

    Raises:
        Ended: the run cannot do what is planned. Nothing is changed then.
    """
    check_plan(plan, store, machine)
    register(study, store)
    reasons = {
        "after a failure (--retry-failed)": [
            record.name for record in plan.forget if plan.states.get(record) == "failed"
        ],
        "after a change of what they compute (--stale archive)": plan.replaced,
    }
    for reason, trials in reasons.items():
        if trials:
            with guarded(store.root):
                add_entry(store.root, Again(time.time(), reason, trials))
    return apply_plan(plan, store, machine, console)


def register(study: Study, store: Store) -> None:
    """Register what a study asks, if that was not done. Call it before results are archived."""
    asked = question(study)
    store.root.mkdir(parents=True, exist_ok=True)
    with guarded(store.root):  # shards write at the same time
        earlier = read_registration(store.root).questions
        if not earlier or earlier[-1].question != asked:
            add_entry(store.root, Registered(time.time(), store.count_ended(), asked))
