"""One search: Optuna proposes trials, and their results are read from the trial folders.

Trial folders are the source of truth; the Optuna journal is an index rebuilt from them. After a
process was killed, `catch_up` updates the journal: completed trials are told to Optuna, the others
resume as the same Optuna trials. This module does not use Ray. A run asks for trials, calls
`observe` after each epoch and `settle` when a trial has ended.
"""

import json
import random
from collections.abc import Iterator
from statistics import fmean

import optuna
from optuna.storages import JournalStorage
from optuna.trial import FrozenTrial, TrialState
from pydantic import ValidationError

from analysis.results.study_plan import TrialRecord
from orchestrator.results.store import Store
from orchestrator.search.pruners import pruner
from orchestrator.search.samplers import sampler
from orchestrator.study.planned_trial import PlannedTrial
from orchestrator.study.search_definition import ArmSearch, SearchPlan
from orchestrator.study.search_space import Point
from trainable.config.trial import TrialConfig, trial_id
from trainable.storage.names import VALIDATION_ACCURACY
from trainable.storage.trial_folder import score

SAME_AS = "same_as"
"""User attribute of an Optuna trial: the number of the trial with the same configuration."""
REASON = "reason"
"""User attribute of an Optuna trial: why it failed."""
DEFINITION = "definition"
"""User attribute of an Optuna study: everything that determines its proposals and scores."""
N_TRIALS = "n_trials"
"""User attribute of an Optuna study: its number of trials."""
ARM = "arm"
"""User attribute of an Optuna study: the arm that it tunes.

This is also the folder of its trials below `runs/`; None: they are in `runs/` itself.
"""


class Search:
    """One Optuna study and the folders of its trials."""

    def __init__(
        self, name: str, search: ArmSearch, plan: SearchPlan, store: Store, storage: JournalStorage
    ):
        self.search = search
        self.plan = plan
        self.store = store
        self.storage = storage
        self.budget = plan.budget(search)
        self.study = optuna.create_study(
            storage=storage,
            study_name=name,
            directions=[metric.goal for metric in plan.file.metric],
            pruner=pruner(plan.file.scheduler),
            load_if_exists=True,
        )
        self._first: dict[str, int] = {}  # id of a configuration → number of its first trial
        for trial in self.trials:
            config = self.config(trial)
            if config is not None:
                self._first.setdefault(trial_id(config), trial.number)

    @property
    def trials(self) -> list[FrozenTrial]:
        """All Optuna trials proposed so far."""
        return self.study.get_trials(deepcopy=False)

    @property
    def missing(self) -> int:
        """Number of trials that are yet to be proposed."""
        return max(0, self.budget - len(self.trials))

    def config(self, trial: FrozenTrial) -> TrialConfig | None:
        """Return the configuration of an Optuna trial; None if its values are invalid together."""
        try:
            return self.search.space.config(trial.params)
        except ValidationError:
            return None

    def certain_config(self, trial: FrozenTrial) -> TrialConfig:
        """Return the configuration of an Optuna trial that has run, and so is valid."""
        return self.search.space.config(trial.params)

    def planned(self, trial: FrozenTrial) -> list[PlannedTrial]:
        """Return one trial per seed; none if the Optuna trial is a repetition or is invalid."""
        config = self.config(trial)
        if config is None or SAME_AS in trial.user_attrs:
            return []
        return [self.search.trial(trial.number, seed, config) for seed in self.plan.file.seeds]

    @property
    def changed(self) -> list[str]:
        """Parts of the definition that have changed since the first proposal."""
        if not self.trials:
            return []
        now = json.loads(json.dumps(self.plan.definition(self.search)))
        then = self.study.user_attrs.get(DEFINITION, now)
        return [part for part in now if now[part] != then.get(part)]

    def note(self) -> None:
        """Write the definition of this search to the journal, for `status` and the report."""
        self.study.set_user_attr(DEFINITION, self.plan.definition(self.search))
        self.study.set_user_attr(N_TRIALS, self.budget)
        self.study.set_user_attr(ARM, self.search.arm)

    # --- ask ---

    def ask(self) -> list[PlannedTrial]:
        """Propose the next Optuna trial; return the trials to train for it, if any."""
        number = len(self.trials)
        proposal = self._propose(number)
        config = self.config(proposal)
        if config is not None:
            first = self._first.setdefault(trial_id(config), number)
            if first != number:
                proposal.user_attrs[SAME_AS] = first
        self.study.add_trial(proposal)
        return self.catch_up(self.trials[number])

    def _propose(self, number: int) -> FrozenTrial:
        """Return an Optuna trial with all its parameters that is not yet in the journal.

        It is proposed by a copy of the study and enters the journal in a single line. If the
        process is killed, the journal has the whole proposal or none; a resume proposes the same.
        """
        file = self.plan.file
        copy = optuna.create_study(
            directions=self.study.directions,
            sampler=sampler(file.sampler.name, file.sampler.seed, number),
        )
        copy.add_trials(self.study.get_trials(deepcopy=False))
        point = self._given(number)
        if point is not None:
            copy.enqueue_trial(point)
        trial = copy.ask()
        self.search.space.walk(lambda dimension: dimension.suggest(trial))
        return copy.get_trials(deepcopy=False)[number]

    def _given(self, number: int) -> Point | None:
        """Return the fixed point of trial `number`; None if the sampler chooses it.

        The arms' own values are first. A grid's points follow in random order, given by the
        sampler's seed.
        """
        starts = self.search.space.starts
        if number < len(starts):
            return starts[number]
        if self.plan.file.sampler.name != "grid":
            return None
        points = [point for point in self.search.space.grid() if point not in starts]
        random.Random(self.plan.file.sampler.seed).shuffle(points)
        return points[number - len(starts)]

    # --- tell ---

    def catch_up(self, trial: FrozenTrial) -> list[PlannedTrial]:
        """Tell Optuna the results on disk of an unfinished Optuna trial.

        Returns:
            The trials that are yet to be trained for it.
        """
        if SAME_AS in trial.user_attrs:
            self._repeat(trial, self.trials[trial.user_attrs[SAME_AS]])
            return []
        planned = self.planned(trial)
        if not planned:
            self._tell(trial, TrialState.FAIL, reason="these values are not valid together")
            return []
        records = [each.record for each in planned]
        states = self.store.states(records, self.plan.file.run.max_failures)
        unusable = [
            record.name for record, state in states.items() if state in ("stale", "damaged")
        ]
        if unusable:
            self.store.set_aside(unusable)
        self._settle(trial, records)
        if self.trials[trial.number].state.is_finished():
            return []
        return [each for each in planned if states[each.record] != "done"]

    def observe(self, trial: FrozenTrial) -> bool:
        """Report new epochs of an unfinished Optuna trial to the journal.

        Returns:
            Whether the trial is to be stopped. This is then recorded in its folder.
        """
        records = self._records(trial)
        if self.plan.file.two_metrics or trial.state.is_finished():
            return trial.state == TrialState.PRUNED
        for epoch, value in self._curve(records):
            if epoch in trial.intermediate_values:
                continue
            self.storage.set_trial_intermediate_value(self._id(trial), epoch, value)
            trial = self.trials[trial.number]
            if self.study.pruner.prune(self.study, trial):
                for record in records:
                    self.store.folder(record).stop(epoch, self.plan.file.scheduler.name)
                self._tell(trial, TrialState.PRUNED)
                return True
        return False

    def settle(self, trial: FrozenTrial) -> None:
        """Tell Optuna the end of an Optuna trial, if all its trials have ended.

        An interrupted one remains unfinished.
        """
        if not trial.state.is_finished():
            self._settle(trial, self._records(trial))

    def _records(self, trial: FrozenTrial) -> list[TrialRecord]:
        return [planned.record for planned in self.planned(trial)]

    def _settle(self, trial: FrozenTrial, records: list[TrialRecord]) -> None:
        states = self.store.states(records, self.plan.file.run.max_failures)
        if "stopped" in states.values():
            self._report(trial, records)
            self._tell(trial, TrialState.PRUNED)
        elif "failed" in states.values():
            failed = [record for record, state in states.items() if state == "failed"]
            failure = self.store.folder(failed[0]).failure or {}
            reason = f"{failure.get('kind')}: {failure.get('message')}"
            self._tell(trial, TrialState.FAIL, reason=reason)
        elif set(states.values()) == {"done"}:
            self._report(trial, records)
            self._complete(trial, records)
        else:
            self.observe(trial)

    def _complete(self, trial: FrozenTrial, records: list[TrialRecord]) -> None:
        """Tell Optuna the scores of an Optuna trial whose trials are all completed."""
        values = self._values(records)
        if values is None:
            reason = "its rows have no val/accuracy; check that there is a validation set"
            self._tell(trial, TrialState.FAIL, reason=reason)
        else:
            self._tell(trial, TrialState.COMPLETE, values)

    def _report(self, trial: FrozenTrial, records: list[TrialRecord]) -> None:
        """Report the epochs of an ended Optuna trial that the journal lacks."""
        if self.plan.file.two_metrics:
            return
        for epoch, value in self._curve(records):
            if epoch not in trial.intermediate_values:
                self.storage.set_trial_intermediate_value(self._id(trial), epoch, value)

    def _tell(
        self,
        trial: FrozenTrial,
        state: TrialState,
        values: list[float] | None = None,
        reason: str | None = None,
    ) -> None:
        if reason is not None:
            self.storage.set_trial_user_attr(self._id(trial), REASON, reason)
        self.study.tell(trial.number, values, state)
        for other in self.trials:
            if other.user_attrs.get(SAME_AS) == trial.number and not other.state.is_finished():
                self._repeat(other, self.trials[trial.number])

    def _repeat(self, trial: FrozenTrial, first: FrozenTrial) -> None:
        """Copy state and scores of the first trial with this configuration, once it has ended."""
        if not first.state.is_finished():
            return
        for epoch, value in first.intermediate_values.items():
            self.storage.set_trial_intermediate_value(self._id(trial), epoch, value)
        values = None
        if first.state == TrialState.COMPLETE:
            values = first.values
        self._tell(trial, first.state, values, first.user_attrs.get(REASON))

    def _id(self, trial: FrozenTrial) -> int:
        study = self.storage.get_study_id_from_name(self.study.study_name)
        return self.storage.get_trial_id_from_study_id_trial_number(study, trial.number)

    # --- scores ---

    def _curve(self, records: list[TrialRecord]) -> Iterator[tuple[int, float]]:
        """Yield (epoch, noisy-validation accuracy in percent, mean over seeds).

        Only epochs that every seed has finished are included.
        """
        metric = self.plan.file.metric[0].name
        curves = [self.store.folder(record).rows() for record in records]
        for epoch, rows in enumerate(zip(*curves, strict=False), start=1):
            values = [row.get(metric) for row in rows]
            if None not in values:
                yield epoch, fmean(values)

    def _values(self, records: list[TrialRecord]) -> list[float] | None:
        """Return one score per metric, mean over seeds; None if a trial has no score."""
        curves = [self.store.folder(record).rows() for record in records]
        means = []
        for metric in self.plan.file.metric:
            scores = []
            for rows in curves:
                value = score(rows, metric.name)
                if value is None:
                    return None
                scores.append(value)
            means.append(fmean(scores))
        return means

    def best(self, count: int) -> list[FrozenTrial]:
        """Return the best distinct configurations that ran to full length, best accuracy first.

        With two metrics, these are the configurations on the Pareto front.
        """
        if self.plan.file.two_metrics:
            found = self.study.best_trials
        else:
            found = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        found = [trial for trial in found if SAME_AS not in trial.user_attrs]
        metrics: list[str] = [metric.name for metric in self.plan.file.metric]
        accuracy = metrics.index(VALIDATION_ACCURACY)
        return sorted(found, key=lambda trial: (-trial.values[accuracy], trial.number))[:count]
