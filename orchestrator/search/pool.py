"""All searches of a study as one queue of trials, synchronised with the folders."""

import shutil
from collections.abc import Callable, Collection
from pathlib import Path

import optuna

from analysis.results.study_plan import TrialRecord
from orchestrator.results.store import Store
from orchestrator.search import journal
from orchestrator.search.optuna_search import Search
from orchestrator.study.planned_trial import PlannedTrial
from orchestrator.study.search_definition import ArmSearch, SearchPlan
from trainable.config.trial import TrialConfig, trial_id
from trainable.storage import names


class SearchPool:
    """All searches of a study as one `TrialSource`.

    The search with the fewest proposals makes the next one.
    """

    knows_all = False
    sees_every_epoch = True

    def __init__(
        self,
        name: str,
        plan: SearchPlan,
        store: Store,
        tell: Callable[[str], None] = lambda sentence: None,
    ):
        self.name = name
        self.plan = plan
        self.store = store
        self.path = store.root / names.JOURNAL
        self.storage = journal.write(self.path, tell)
        self.all = [self._open(search) for search in plan.searches]
        self._queue: list[PlannedTrial] = []
        self._place: dict[str, tuple[Search, int]] = {}  # name of a trial → its Optuna trial
        self._records: dict[str, TrialRecord] = {}

    def _open(self, search: ArmSearch) -> Search:
        return Search(search.arm or self.name, search, self.plan, self.store, self.storage)

    def changed(self, code: str | None = None) -> dict[str, list[str]]:
        """Return search → parts of its definition that have changed since it began.

        With `code`, the hash of the present code, the code of its trials is compared too.
        """
        found = {}
        for search in self.all:
            parts = list(search.changed)
            if code is not None and self._other_code(search, code):
                parts.append("code")
            if parts:
                found[search.study.study_name] = parts
        return found

    def _other_code(self, search: Search, code: str) -> bool:
        """Return whether a trial of this search was run with other code than `code`."""
        return any(self.store.code(record) not in (None, code) for record in _records(search))

    def archive(self, searches: Collection[str]) -> Path:
        """Archive searches with a copy of the journal, and restart them; return the archive."""
        old = [search for search in self.all if search.study.study_name in searches]
        folders: list[Path] = []
        for search in old:
            place = self.store.runs / (search.search.arm or "")
            folders += place.glob("trial-*")
        below_runs = [folder.relative_to(self.store.runs).as_posix() for folder in folders]
        target = self.store.set_aside(below_runs)
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.path, target)
        for search in old:
            optuna.delete_study(study_name=search.study.study_name, storage=self.storage)
        self.all = [self._open(search.search) if search in old else search for search in self.all]
        return target

    def reconcile(self) -> None:
        """Update the journal from the folders; put trials that have begun first in the queue."""
        self._queue.clear()
        for search in self.all:
            search.note()
        for search in self.all:
            for trial in search.trials:
                if not trial.state.is_finished():
                    self._enqueue(search, trial.number, search.catch_up(trial))
        # Actors that were killed have not removed their checkpoints.
        for end in (names.STOPPED, names.SUMMARY):
            for ended in self.store.runs.rglob(end):
                for checkpoint in (names.CHECKPOINT, names.PREVIOUS_CHECKPOINT):
                    (ended.parent / checkpoint).unlink(missing_ok=True)

    def next(self) -> PlannedTrial | None:
        """Return the next trial to train; None if there are no more."""
        while True:
            while self._queue:
                planned = self._queue.pop(0)
                search, number = self._place[planned.record.name]
                # An Optuna trial that failed on another seed needs no more trials.
                if not search.trials[number].state.is_finished():
                    return planned
            unfinished = [search for search in self.all if search.missing]
            if not unfinished:
                return None
            search = min(unfinished, key=lambda search: len(search.trials))
            number = len(search.trials)
            self._enqueue(search, number, search.ask())

    @property
    def exhausted(self) -> bool:
        """Return whether `next` will never return a trial again."""
        return not self._queue and not any(search.missing for search in self.all)

    def _enqueue(self, search: Search, number: int, trials: list[PlannedTrial]) -> None:
        self._queue += trials
        for planned in trials:
            record = planned.record
            self._place[record.name] = (search, number)
            self._records[record.name] = record

    @property
    def waiting(self) -> list[PlannedTrial]:
        """Empty, because future proposals are unknown."""
        return []

    def record(self, name: str) -> TrialRecord:
        """Return the record of a trial that was in the queue."""
        return self._records[name]

    def observe(self, name: str) -> bool:
        """Note that a trial has finished an epoch; return whether it is to be stopped."""
        search, number = self._place[name]
        return search.observe(search.trials[number])

    def settle(self, name: str) -> list[str]:
        """Note that a trial is completed, failed or interrupted; no other depends on it."""
        search, number = self._place[name]
        search.settle(search.trials[number])
        return []

    @property
    def missing(self) -> dict[str | None, int]:
        """Arm → Optuna trials that are not finished or not yet proposed."""
        found = {}
        for search in self.all:
            unfinished = [trial for trial in search.trials if not trial.state.is_finished()]
            found[search.search.arm] = search.missing + len(unfinished)
        return found

    @property
    def finished(self) -> bool:
        """Whether every search has its number of trials, and all have ended."""
        return not any(self.missing.values())

    @property
    def records(self) -> list[TrialRecord]:
        """Every trial proposed so far."""
        found = []
        for search in self.all:
            found += _records(search)
        return found

    def winners(self) -> dict[str, TrialConfig]:
        """Return name in the results → configuration to confirm in addition to the baseline."""
        found: dict[str, TrialConfig] = {}
        for search in self.all:
            arm = search.search.arm
            if arm is None:
                found.update(self._best_trials(search))
            else:
                for trial in search.best(1):
                    found[arm] = search.certain_config(trial)
        return found

    def _best_trials(self, search: Search) -> dict[str, TrialConfig]:
        """Return the `top_k` best configurations of a search, except the baseline's."""
        space = search.search.space
        baseline = trial_id(space.config(space.starts[0]))
        found: dict[str, TrialConfig] = {}
        for trial in search.best(len(search.trials)):
            config = search.certain_config(trial)
            if len(found) < self.plan.top_k and trial_id(config) != baseline:
                found[f"trial-{trial.number:04}"] = config
        return found


def _records(search: Search) -> list[TrialRecord]:
    """Return every trial that a search has proposed so far."""
    found = []
    for trial in search.trials:
        found += [planned.record for planned in search.planned(trial)]
    return found
