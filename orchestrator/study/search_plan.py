"""What a search's study file asks for: its searches, their trials and budgets, and the confirmation."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from analysis.results.study_folder import TrialRecord
from orchestrator.study.planned_trial import BASELINE, PlannedTrial
from orchestrator.study.search_schema import SearchFile
from orchestrator.study.search_space import Space
from trainable.config.trial import TrialConfig, trial_id

FIXED, TUNED = "fixed", "tuned"
"""Settings of a re-tuned ablation's confirmation: the arms as they are written, and each with its winner."""


@dataclass(frozen=True)
class ArmSearch:
    """One search: the study's only one (`arm` is None), or that of one arm of a re-tuned ablation."""

    arm: str | None
    space: Space

    def trial(self, number: int, seed: int, config: TrialConfig) -> PlannedTrial:
        """Optuna trial `number` on one seed."""
        config = config.model_copy(update={"seed": seed})
        name = f"trial-{number:04}"
        return PlannedTrial(
            TrialRecord(
                trial_id(config), self.arm, name, seed, "search", None, config.train.epochs
            ),
            config,
        )


@dataclass(frozen=True)
class SearchPlan:
    """What a search's file asks for."""

    file: SearchFile
    searches: tuple[ArmSearch, ...]
    arms: dict[str, TrialConfig]
    """The baseline's and the arms' own configurations."""

    def budget(self, search: ArmSearch) -> int:
        """Optuna trials of one search."""
        limit = self.file.sampler.n_trials
        if self.file.sampler.name != "grid":
            assert limit is not None
            return limit
        whole = sum(1 for _ in search.space.grid())
        return whole if limit is None else min(limit, whole)

    @property
    def top_k(self) -> int:
        """How many configurations of a search are confirmed."""
        return self.file.confirm.top_k or (1 if self.file.retunes else 3)

    def definition(self, search: ArmSearch) -> dict[str, Any]:
        """All that decides a search's proposals and scores, but for the number of trials: it may grow."""
        return {
            "arms": {name: trial_id(self.arms[name]) for name in search.space.arms},
            "space": search.space.described(),
            "metric": [metric.model_dump() for metric in self.file.metric],
            "seeds": self.file.seeds,
            "sampler": {"name": self.file.sampler.name, "seed": self.file.sampler.seed},
            "scheduler": self.file.scheduler.model_dump(),
        }

    def confirmations(self, winners: dict[str, TrialConfig]) -> list[PlannedTrial]:
        """The ablation that gives the result: `winners` by name of the Optuna trial, or (re-tuned) of the arm.

        Seed by seed, so that a confirmation that is stopped early has whole pairs.
        """
        if self.file.retunes:
            columns: dict[str | None, dict[str, TrialConfig]] = {FIXED: self.arms, TUNED: winners}
        else:
            columns = {None: {BASELINE: self.arms[BASELINE], **winners}}
        return [
            _confirmation(
                setting,
                arm,
                config,
                seed,
                arms.get(BASELINE),
                "arms" if self.file.retunes else "search",
            )
            for seed in self.file.confirm.seeds
            for setting, arms in columns.items()
            for arm, config in arms.items()
        ]

    def expected(self, missing: dict[str | None, int]) -> Iterator[PlannedTrial]:
        """Stand-ins, at the arms' own settings, for what a run has yet to train: what it may cost at most."""
        for search in self.searches:
            config = self.arms[search.arm or BASELINE]
            for _ in range(missing.get(search.arm, 0)):
                for trial in (search.trial(0, seed, config) for seed in self.file.seeds):
                    yield replace(trial, record=replace(trial.record, arm="search"))
        baseline = self.arms[BASELINE]
        if self.file.retunes:
            yield from self.confirmations(self.arms)
        else:
            yield from self.confirmations({f"best-{k + 1}": baseline for k in range(self.top_k)})


def _confirmation(
    setting: str | None,
    arm: str,
    config: TrialConfig,
    seed: int,
    baseline: TrialConfig | None,
    family: str,
) -> PlannedTrial:
    config = config.model_copy(update={"seed": seed})
    paired = baseline is not None and (config.data, config.noise) == (baseline.data, baseline.noise)
    named = None if arm == BASELINE else family
    partner = BASELINE if paired and named else None
    record = TrialRecord(trial_id(config), setting, arm, seed, named, partner, config.train.epochs)
    return PlannedTrial(record, config)
