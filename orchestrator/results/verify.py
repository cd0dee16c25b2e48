"""Running random finished trials of a study again: do code and data still give the rows that are on disk?"""

import random
from collections.abc import Iterator

from analysis.results.study_folder import TrialRecord
from orchestrator.results.reproduce import NotATrial, Reproduction, reproduce
from orchestrator.results.store import Store
from trainable.config.runtime import Machine

Outcome = Reproduction | str
"""What a second run showed, or why there is none."""
DATA = ("data", "noise")
"""Fields of a fingerprint whose change is one of the inputs, whatever the rows say."""


def drawn(store: Store, fraction: float) -> tuple[list[TrialRecord], int]:
    """A random part of the finished trials, at least one, in the study's order; and how many have finished.

    Raises:
        NoStudy: the folder holds no study's results.
        NotATrial: no trial has finished.
    """
    plan = store.read_plan()
    done = [
        record
        for record, state in store.states(plan.records, plan.max_failures).items()
        if state == "done"
    ]
    if not done:
        raise NotATrial(f"{store.root} holds no finished trial")
    chosen = set(
        random.SystemRandom().sample(range(len(done)), max(1, round(fraction * len(done))))
    )
    return [record for k, record in enumerate(done) if k in chosen], len(done)


def verify(
    store: Store, records: list[TrialRecord], machine: Machine, own_code: bool
) -> Iterator[tuple[TrialRecord, Outcome]]:
    """Run trials again, one by one."""
    for record in records:
        try:
            yield record, reproduce(store.runs / record.name, machine, own_code)
        except NotATrial as error:
            yield record, str(error)


def holds(found: Outcome) -> bool:
    """Whether a second run had the same rows from the same data."""
    return (
        isinstance(found, Reproduction)
        and found.identical
        and not set(DATA) & set(found.fingerprint)
    )
