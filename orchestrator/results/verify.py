"""Run random completed trials of a study again.

This checks whether code and data still produce the rows on disk.
"""

import random
from collections.abc import Iterator

from analysis.results.study_plan import TrialRecord
from orchestrator.results.reproduce import NotATrial, Reproduction, reproduce
from orchestrator.results.store import Store
from trainable.config.runtime import Machine

Outcome = Reproduction | str
"""Result of a second run, or the reason why there is none."""
DATA = ("data", "noise")
"""Fields of a fingerprint that identify the input data, which must be the same."""


def drawn(store: Store, fraction: float) -> tuple[list[TrialRecord], int]:
    """Return a random part of the completed trials, and the number of all completed trials.

    The part has at least one trial and is in the study's order.

    Raises:
        NoStudy: the folder contains no study results.
        NotATrial: no trial is completed.
    """
    plan = store.read_plan()
    snapshot = store.planned(plan.records, indexed=False)
    states = snapshot.states(plan.records, plan.max_failures)
    done = [record for record, state in states.items() if state == "done"]
    if not done:
        raise NotATrial(f"{store.root} contains no completed trial")
    count = max(1, round(fraction * len(done)))
    chosen = sorted(random.SystemRandom().sample(range(len(done)), count))
    return [done[k] for k in chosen], len(done)


def verify(
    store: Store, records: list[TrialRecord], machine: Machine, own_code: bool
) -> Iterator[tuple[TrialRecord, Outcome]]:
    """Run trials again one by one; yield each with its outcome."""
    for record in records:
        try:
            yield record, reproduce(store.runs / record.name, machine, own_code)
        except NotATrial as error:
            yield record, str(error)


def holds(found: Outcome) -> bool:
    """Return whether a second run had the same rows from the same data."""
    if not isinstance(found, Reproduction):
        return False
    same_data = not set(DATA) & set(found.fingerprint)
    return found.identical and same_data
