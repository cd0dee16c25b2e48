"""Queue of a study that adds seeds until its questions are answered."""

import time
from collections.abc import Callable, Sequence

from analysis.results import looks
from analysis.results.looks import read_register
from analysis.results.study_plan import SequentialDesign
from analysis.results.trial_failures import ERROR, Outcome, outcome
from orchestrator.results.store import Store
from orchestrator.scheduling.dependency_queue import longest_first
from orchestrator.scheduling.sequential_design import Needs, needs
from orchestrator.scheduling.trial_selection import Options
from orchestrator.study.planned_trial import PlannedTrial

Place = tuple[str | None, str, int]


class SequentialQueue:
    """The trials that the open questions of a study need. A `TrialSource`.

    Whenever a trial ends, the questions are judged anew, and trials are added.

    Args:
        trials: all trials of the study.
        design: its seeds, and the arms that have joined.
        margin: equivalence margin in points.
        found: results so far.
        options: the arms, settings and seeds that this run trains.
        store: the study's results.
        max_failures: number of failed attempts after which a trial counts as failed.
        hours: wall time that all runs together may take; None: any.
    """

    knows_all = False
    sees_every_epoch = False

    def __init__(
        self,
        trials: Sequence[PlannedTrial],
        design: SequentialDesign,
        margin: float,
        found: dict[Place, Outcome],
        options: Options,
        store: Store,
        max_failures: int,
        hours: float | None = None,
    ):
        self.design = design
        self._trials = trials
        self._max_failures = max_failures
        self._margin = margin
        self._found = found
        self._options = options
        self._store = store
        self._hours = hours
        self._hours_before = read_register(store.root).hours
        self._start = time.monotonic()
        self._run = f"{time.time():.3f}"
        self._by_name = {trial.record.name: trial for trial in trials}
        self._given: set[str] = set()
        self._running: set[str] = set()
        self._waiting: dict[str, PlannedTrial] = {}
        self.needed: Needs
        self._on_growth: Callable[[list[PlannedTrial]], None] | None = None
        self._judge()

    def when_growing(self, tell: Callable[[list[PlannedTrial]], None]) -> None:
        """Call `tell` with the trials that are added from now on."""
        self._on_growth = tell

    @property
    def waiting(self) -> list[PlannedTrial]:
        """Return the trials that are needed now and have not been started."""
        return list(self._waiting.values())

    @property
    def begun(self) -> list[PlannedTrial]:
        """Return the needed trials that have a result, or were given out."""
        begun = []
        for trial in self.needed.trials:
            if trial.record.name in self._given or _place(trial) in self._found:
                begun.append(trial)
        return begun

    @property
    def out_of_time(self) -> bool:
        """Whether the study has used up its budget."""
        return self._hours is not None and self._hours_before + self._spent / 3600 >= self._hours

    def next(self) -> PlannedTrial | None:
        """Return the first trial that can start now; None if there is none."""
        if self.out_of_time:
            return None
        for name, trial in self._waiting.items():
            source = trial.record.source
            if source not in self._waiting and source not in self._running:
                self._given.add(name)
                self._running.add(name)
                return self._waiting.pop(name)
        return None

    @property
    def exhausted(self) -> bool:
        """Return whether `next` will never return a trial again."""
        return self.out_of_time or not (self._waiting or self._running)

    def observe(self, name: str) -> bool:
        """Note that a trial has finished an epoch; none is stopped early."""
        return False

    def settle(self, name: str) -> list[str]:
        """Note that a trial has ended: completed, failed or interrupted.

        Returns:
            The names of trials that are blocked because of it.
        """
        self._running.discard(name)
        trial = self._by_name[name]
        state = self._store.states([trial.record], self._max_failures)[trial.record]
        blocked: list[str] = []
        if state == "done":
            summary = self._store.folder(trial.record).summary
            assert summary is not None
            self._found[_place(trial)] = outcome(summary)
        elif state == "failed":
            self._found[_place(trial)] = ERROR
            blocked = self._block_users(name)
        else:  # interrupted
            looks.add_time(self._store.root, self._run, self._spent)
            return []
        self._judge()
        return blocked

    def _block_users(self, name: str) -> list[str]:
        """Count the trials that use a failed one as failed; return the names of those that wait."""
        blocked = []
        for trial in self._trials:
            if trial.record.source == name:
                self._found[_place(trial)] = ERROR
                if self._waiting.pop(trial.record.name, None):
                    blocked.append(trial.record.name)
                blocked += self._block_users(trial.record.name)
        return blocked

    def _judge(self) -> None:
        """Judge all questions, record what is closed, and add the trials that are needed next."""
        self.needed = needs(self._trials, self.design, self._margin, self._found, self._options)
        register = read_register(self._store.root)
        looks.add_entries(self._store.root, self.needed.closed(register, self._margin, time.time()))
        looks.add_time(self._store.root, self._run, self._spent)
        added = []
        for trial in self.needed.trials:
            name = trial.record.name
            if name in self._given or name in self._waiting or _place(trial) in self._found:
                continue
            if self._options.selects(trial.record):
                added.append(trial)
        added = longest_first(added)
        self._waiting.update({trial.record.name: trial for trial in added})
        if added and self._on_growth is not None:
            self._on_growth(added)

    @property
    def _spent(self) -> float:
        """Seconds since the start of this run."""
        return time.monotonic() - self._start


def _place(trial: PlannedTrial) -> Place:
    return trial.record.setting, trial.record.arm, trial.record.seed
