"""All searches of a study as one queue of trials, kept in step with the folders."""

import shutil
from collections.abc import Collection
from pathlib import Path

import optuna

from analysis.results.study_folder import TrialRecord
from orchestrator.results.store import Store
from orchestrator.search import journal
from orchestrator.search.optuna_search import Search
from orchestrator.study.planned_trial import PlannedTrial
from orchestrator.study.search_plan import ArmSearch, SearchPlan
from trainable.config.trial import TrialConfig, trial_id
from trainable.storage import names


class SearchPool:
    """All searches of a study as one `TrialSource`: the one with the fewest proposals asks next."""

    knows_all = False
    sees_every_epoch = True
    exhausted = True
    """Where `next` gives nothing, it never will again."""

    def __init__(self, name: str, plan: SearchPlan, store: Store):
        self.name, self.plan, self.store = name, plan, store
        self.path = store.root / names.JOURNAL
        self.storage = journal.write(self.path)
        self.all = [self._open(search) for search in plan.searches]
        self._queue: list[PlannedTrial] = []
        self._place: dict[str, tuple[Search, int]] = {}  # a trial's name → its Optuna trial
        self._records: dict[str, TrialRecord] = {}

    def _open(self, search: ArmSearch) -> Search:
        return Search(search.arm or self.name, search, self.plan, self.store, self.storage)

    def changed(self, code: str | None = None) -> dict[str, list[str]]:
        """Search → the parts of it that have changed since it began; with `code`, that of its trials too."""
        found = {search.study.study_name: [*search.changed] for search in self.all}
        for search in self.all:
            records = [p.record for trial in search.trials for p in search.planned(trial)]
            if code is not None and any(
                self.store.code(record) not in (None, code) for record in records
            ):
                found[search.study.study_name].append("code")
        return {name: parts for name, parts in found.items() if parts}

    def archive(self, searches: Collection[str]) -> Path:
        """Move searches aside, with the journal as it was, and begin them anew."""
        old = [search for search in self.all if search.study.study_name in searches]
        folders = [
            folder.relative_to(self.store.runs).as_posix()
            for search in old
            for folder in self.store.runs.joinpath(search.search.arm or "").glob("trial-*")
        ]
        target = self.store.set_aside(folders)
        target.mkdir(parents=True, exist_ok=True)
        shutil.copy(self.path, target)
        for search in old:
            optuna.delete_study(study_name=search.study.study_name, storage=self.storage)
        self.all = [self._open(search.search) if search in old else search for search in self.all]
        return target

    def reconcile(self) -> None:
        """Bring the journal in step with the folders; what was begun goes first in the queue."""
        self._queue.clear()
        for search in self.all:
            search.note()
        for search in self.all:
            for trial in search.trials:
                if not trial.state.is_finished():
                    self._enqueue(search, trial.number, search.catch_up(trial))
        for stopped in self.store.runs.rglob(
            names.STOPPED
        ):  # an actor that was killed could not tidy up
            for checkpoint in (names.CHECKPOINT, names.PREVIOUS_CHECKPOINT):
                (stopped.parent / checkpoint).unlink(missing_ok=True)

    def next(self) -> PlannedTrial | None:
        """The next trial to train; None when nothing is left."""
        while True:
            for k, planned in enumerate(self._queue):
                search, number = self._place[planned.record.name]
                if not search.trials[
                    number
                ].state.is_finished():  # one that failed on another seed needs no more
                    del self._queue[: k + 1]
                    return planned
            self._queue.clear()
            search = min(
                self.all, key=lambda search: len(search.trials) if search.missing else float("inf")
            )
            if not search.missing:
                return None
            number = len(search.trials)
            self._enqueue(search, number, search.ask())

    def _enqueue(self, search: Search, number: int, planned: list[PlannedTrial]) -> None:
        self._queue += planned
        self._place |= {p.record.name: (search, number) for p in planned}
        self._records |= {p.record.name: p.record for p in planned}

    @property
    def waiting(self) -> list[PlannedTrial]:
        """None: what will be proposed is not known."""
        return []

    def record(self, name: str) -> TrialRecord:
        """A trial that was in the queue."""
        return self._records[name]

    def observe(self, name: str) -> bool:
        """A trial has finished an epoch: whether it is to be stopped."""
        search, number = self._place[name]
        return search.observe(search.trials[number])

    def settle(self, name: str) -> list[str]:
        """A trial has ended, well, badly, or interrupted; no other depends on it."""
        search, number = self._place[name]
        search.settle(search.trials[number])
        return []

    @property
    def missing(self) -> dict[str | None, int]:
        """Arm → Optuna trials that are not finished or not yet proposed."""
        return {
            search.search.arm: search.missing
            + sum(not t.state.is_finished() for t in search.trials)
            for search in self.all
        }

    @property
    def finished(self) -> bool:
        """Whether every search has its number of trials, and all have ended."""
        return not any(self.missing.values())

    @property
    def records(self) -> list[TrialRecord]:
        """Every trial that was proposed so far."""
        return [
            p.record
            for search in self.all
            for trial in search.trials
            for p in search.planned(trial)
        ]

    def winners(self) -> dict[str, TrialConfig]:
        """What is confirmed beside the baseline, by its name in the result."""
        found: dict[str, TrialConfig] = {}
        for search in self.all:
            if (arm := search.search.arm) is not None:
                for trial in search.best(1):
                    found[arm] = search.certain_config(trial)
                continue
            own = trial_id(search.search.space.config(search.search.space.starts[0]))
            ranked = [
                (trial, search.certain_config(trial)) for trial in search.best(len(search.trials))
            ]
            others = [(trial, config) for trial, config in ranked if trial_id(config) != own]
            found |= {
                f"trial-{trial.number:04}": config for trial, config in others[: self.plan.top_k]
            }
        return found
