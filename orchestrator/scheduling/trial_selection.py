"""Options of a run, and the trials that they select."""

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Literal

from analysis.results.study_plan import TrialRecord
from orchestrator.exit_codes import WRONG, Ended
from orchestrator.study.load import Study
from trainable.config.strict_yaml import ConfigError


@dataclass(frozen=True)
class Options:
    """Options of a run. An empty selection selects everything."""

    stale: Literal["refuse", "archive"] = "refuse"
    same_code: bool = False
    retry_failed: bool = False
    dashboard: str | None = "127.0.0.1"
    """Host on which Ray's dashboard listens; None: no dashboard."""
    ray: bool = True
    """Whether Ray trains; if not, local processes do."""
    address: str | None = None
    """Address of a Ray cluster: `auto` or HOST:PORT; None: start a local Ray."""
    events: bool = False
    """Whether to print one JSON object per event."""
    arms: frozenset[str] = field(default_factory=frozenset)
    seeds: frozenset[int] = field(default_factory=frozenset)
    settings: frozenset[str] = field(default_factory=frozenset)

    def selects(self, record: TrialRecord) -> bool:
        """Return whether a trial is selected."""
        of_seed = not self.seeds or record.seed in self.seeds
        return of_seed and self.selects_arm(record.setting, record.arm)

    def selects_arm(self, setting: str | None, arm: str) -> bool:
        """Return whether an arm's trials in a setting are selected, of some seeds at least."""
        in_arms = not self.arms or arm in self.arms
        return in_arms and (not self.settings or setting in self.settings)


def check_selection(options: Options, study: Study) -> None:
    """Check that the study has the selected arms, seeds and settings.

    Raises:
        Ended: it lacks one of them, or the study is a search, which cannot be run in part.
    """
    if study.search is not None:
        if options.arms or options.seeds or options.settings:
            raise Ended(
                "--arms, --seeds and --settings select trials of an ablation; "
                "a search is run as a whole",
                WRONG,
            )
        return
    records = [trial.record for trial in study.trials]
    arms = {record.arm for record in records}
    seeds = {str(record.seed) for record in records}
    settings = {record.setting for record in records if record.setting}
    _check_known("--arms", options.arms, arms)
    _check_known("--seeds", {str(seed) for seed in options.seeds}, seeds)
    _check_known("--settings", options.settings, settings)
    if not any(options.selects(record) for record in records):
        raise Ended(
            "the study has no trial with this --arms, --seeds and --settings together", WRONG
        )


def useless(options: Options, study: Study) -> ConfigError | None:
    """Return why selected arms cannot do what they are for, with file and line; None: they can."""
    problems = []
    for (setting, arm), found in study.useless.items():
        if options.selects_arm(setting, arm):
            problems += found
    return ConfigError(study.path, problems) if problems else None


def check_useful(options: Options, study: Study) -> None:
    """Raise ConfigError if selected arms cannot do what they are for."""
    error = useless(options, study)
    if error is not None:
        raise error


def _check_known(option: str, wanted: Set[str], known: Set[str]) -> None:
    """Raise Ended if an option has a value that the study lacks."""
    unknown = wanted - known
    if unknown:
        wrong = ", ".join(sorted(unknown))
        right = ", ".join(sorted(known)) or "none"
        raise Ended(f"{option}: the study has no {wrong}; it has {right}", WRONG)
