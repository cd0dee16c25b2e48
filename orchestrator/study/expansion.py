"""The arms of a study in its settings, and their trials: arms × settings × paired seeds."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from analysis.results.study_plan import BASELINE, TrialRecord, trial_name
from orchestrator.study.arms import Arm, Layer, Overrides, Setting
from orchestrator.study.planned_trial import PlannedTrial
from trainable.config.data import FileNoise
from trainable.config.strict_yaml import Problem
from trainable.config.trial import TrialConfig, id_with_seed, trial_id, without_seed

LABELS = "labels"
"""Family of the arms that differ from the baseline in their file of labels."""
Configs = dict[tuple[Setting, str], TrialConfig]
"""(setting, arm) → configuration; `from_arm` is the name of an arm."""


@dataclass(frozen=True)
class Expansion:
    """Arms × settings of a study, resolved against `TrialConfig`.

    Args:
        study_dir: folder in which own code and weights are looked up.
        base: overrides of all arms.
        settings: names of the settings; None is the only one of a study without settings.
        arms: the baseline, then the arms as they are written.
        configs: configurations of the combinations that are run.
        warnings: sentences about values that are valid but probably unintended.
        problems: mistakes. An expansion with problems is incomplete and must not be run.
        useless: (setting, arm) → why it could not do what it is for.
    """

    study_dir: Path
    base: Layer
    settings: tuple[Setting, ...]
    arms: tuple[Arm, ...]
    configs: Configs
    warnings: tuple[str, ...]
    problems: tuple[Problem, ...]
    useless: dict[tuple[Setting, str], list[Problem]]

    def layers(self) -> dict[str, tuple[Overrides, ...]]:
        """Return arm → its overrides by dotted path, the later over the earlier.

        For a study without settings.
        """
        return {arm.name: (self.base.values, arm.layer.values) for arm in self.arms}

    def trials(self, seeds: list[int]) -> Iterator[PlannedTrial]:
        """Yield every trial, seed by seed, so that a study that is stopped early has full pairs."""
        computed = {place: without_seed(config) for place, config in self.configs.items()}
        for seed in seeds:
            planned = of_seed(self.configs, seed)
            for setting in self.settings:
                for arm in self.arms:
                    place = (setting, arm.name)
                    if place in self.configs:
                        config = planned[place]
                        identity = id_with_seed(computed[place], seed, config.from_arm)
                        yield _trial(self.configs, setting, arm, config, identity)


def of_seed(configs: Configs, seed: int) -> Configs:
    """Return the configurations of one seed; `from_arm` is the id of the trial that one uses."""
    found: Configs = {}
    ids: dict[tuple[Setting, str], str] = {}
    for setting, arm in configs:
        chain: list[str] = []
        name: str | None = arm
        while name and (setting, name) not in found:
            chain.append(name)
            name = configs[setting, name].from_arm
        for name in reversed(chain):
            config = configs[setting, name]
            source = None
            if config.from_arm:
                place = (setting, config.from_arm)
                if place not in ids:
                    ids[place] = trial_id(found[place])
                source = ids[place]
            found[setting, name] = config.model_copy(update={"seed": seed, "from_arm": source})
    return found


def _trial(
    configs: Configs, setting: Setting, arm: Arm, config: TrialConfig, identity: str
) -> PlannedTrial:
    """Return one trial, with its place in the comparison; `identity` is its id."""
    baseline = configs[setting, BASELINE]
    written = configs[setting, arm.name]
    same_noise = written.noise == baseline.noise
    other_labels = not same_noise and _labels_from_files(written, baseline)
    same_data = written.data.same_samples(baseline.data)
    paired = bool(arm.family) and same_data and (same_noise or other_labels)
    source = written.from_arm
    if source:
        source = trial_name(setting, source, config.seed)
    record = TrialRecord(
        id=identity,
        setting=setting,
        arm=arm.name,
        seed=config.seed,
        family=LABELS if paired and other_labels else arm.family,
        baseline=BASELINE if paired else None,
        epochs=config.train.epochs,
        source=source,
        other_labels=paired and other_labels,
    )
    return PlannedTrial(record, config)


def _labels_from_files(*configs: TrialConfig) -> bool:
    """Return whether all trials have given labels from files, which can be compared."""
    return all(isinstance(config.noise, FileNoise) for config in configs)
