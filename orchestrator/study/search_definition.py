"""Definition of a search study: its searches, their budgets, and the confirmation."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from analysis.results.study_plan import BASELINE, TrialRecord
from orchestrator.study.planned_trial import PlannedTrial
from orchestrator.study.search_schema import SearchFile
from orchestrator.study.search_space import Space
from trainable.config.trial import TrialConfig, trial_id

FIXED = "fixed"
"""Setting of a re-tuned ablation's confirmation: arms with the values of the study file."""
TUNED = "tuned"
"""Setting of a re-tuned ablation's confirmation: each arm with its best configuration."""


@dataclass(frozen=True)
class ArmSearch:
    """One search: the study's only one (`arm` is None), or one arm's of a re-tuned ablation."""

    arm: str | None
    space: Space

    def trial(self, number: int, seed: int, config: TrialConfig) -> PlannedTrial:
        """Return Optuna trial `number` on one seed."""
        config = config.model_copy(update={"seed": seed})
        record = TrialRecord(
            id=trial_id(config),
            setting=self.arm,
            arm=f"trial-{number:04}",
            seed=seed,
            family="search",
            baseline=None,
            epochs=config.train.epochs,
        )
        return PlannedTrial(record, config)


LARGEST_GRID = 100_000
"""Largest number of points of a grid, all of which are listed in random order."""


@dataclass(frozen=True)
class SearchPlan:
    """The searches of a study and their confirmation."""

    file: SearchFile
    searches: tuple[ArmSearch, ...]
    arms: dict[str, TrialConfig]
    """The baseline's and the arms' own configurations."""

    def budget(self, search: ArmSearch) -> int:
        """Return the number of Optuna trials of one search."""
        limit = self.file.sampler.n_trials
        if self.file.sampler.name != "grid":
            assert limit is not None
            return limit
        whole = search.space.count(LARGEST_GRID)
        assert whole is not None, "the study file was checked"
        if limit is None:
            return whole
        return min(limit, whole)

    @property
    def top_k(self) -> int:
        """Number of configurations of a search that are confirmed."""
        if self.file.confirm.top_k is not None:
            return self.file.confirm.top_k
        if self.file.retunes:
            return 1
        return 3

    def definition(self, search: ArmSearch) -> dict[str, Any]:
        """Return everything that determines a search's proposals and scores.

        The number of trials is not included, because it may be increased later.
        """
        sampler = self.file.sampler
        return {
            "arms": {name: trial_id(self.arms[name]) for name in search.space.arms},
            "space": search.space.described(),
            "metric": [metric.model_dump() for metric in self.file.metric],
            "seeds": self.file.seeds,
            "sampler": {"name": sampler.name, "seed": sampler.seed},
            "scheduler": self.file.scheduler.model_dump(),
        }

    def confirmations(self, winners: dict[str, TrialConfig]) -> list[PlannedTrial]:
        """Return the trials of the confirmation, an ablation on fresh seeds.

        They are sorted by seed, so that a confirmation that is stopped early has full pairs.

        Args:
            winners: configurations by name of the Optuna trial or, if re-tuned, of the arm.
        """
        columns: dict[str | None, dict[str, TrialConfig]] = {}
        if self.file.retunes:
            family = "arms"
            columns[FIXED] = self.arms
            columns[TUNED] = winners
        else:
            family = "search"
            columns[None] = {BASELINE: self.arms[BASELINE], **winners}
        trials = []
        for seed in self.file.confirm.seeds:
            for setting, arms in columns.items():
                baseline = arms.get(BASELINE)
                for arm, config in arms.items():
                    trials.append(_confirmation(setting, arm, config, seed, baseline, family))
        return trials

    def expected(self, missing: dict[str | None, int]) -> Iterator[PlannedTrial]:
        """Yield placeholders, with the arms' own values, for trials that are yet to be trained.

        They give an upper bound of its cost.
        """
        for search in self.searches:
            config = self.arms[search.arm or BASELINE]
            for _ in range(missing.get(search.arm, 0)):
                for seed in self.file.seeds:
                    trial = search.trial(0, seed, config)
                    yield replace(trial, record=replace(trial.record, arm="search"))
        winners = {}
        if self.file.retunes:
            winners = self.arms
        else:
            for rank in range(1, self.top_k + 1):
                winners[f"best-{rank}"] = self.arms[BASELINE]
        yield from self.confirmations(winners)


def _confirmation(
    setting: str | None,
    arm: str,
    config: TrialConfig,
    seed: int,
    baseline: TrialConfig | None,
    family: str,
) -> PlannedTrial:
    """Return one trial of a confirmation, paired with the baseline if data and noise are equal."""
    config = config.model_copy(update={"seed": seed})
    partner = None
    if arm != BASELINE and baseline is not None:
        same_data = config.data.same_samples(baseline.data)
        if same_data and config.noise == baseline.noise:
            partner = BASELINE
    record = TrialRecord(
        id=trial_id(config),
        setting=setting,
        arm=arm,
        seed=seed,
        family=None if arm == BASELINE else family,
        baseline=partner,
        epochs=config.train.epochs,
    )
    return PlannedTrial(record, config)
