"""What a run was asked to do in addition to the study: its options, and what they choose."""

from collections.abc import Set
from dataclasses import dataclass, field
from typing import Literal

from analysis.results.study_folder import TrialRecord
from orchestrator.exit_codes import WRONG, Ended
from orchestrator.study.load import Study


@dataclass(frozen=True)
class Options:
    """What a run was asked to do in addition to the study. Empty selections mean all."""

    stale: Literal["refuse", "archive"] = "refuse"
    same_code: bool = False
    retry_failed: bool = False
    dashboard: str | None = "127.0.0.1"
    """The host that Ray's dashboard listens on; None for no dashboard."""
    ray: bool = True
    """Whether Ray trains; if not, local processes do."""
    address: str | None = None
    """A Ray cluster to use: `auto` or HOST:PORT; None to start a local Ray."""
    events: bool = False
    """Print one JSON object an event."""
    arms: frozenset[str] = field(default_factory=frozenset)
    seeds: frozenset[int] = field(default_factory=frozenset)
    settings: frozenset[str] = field(default_factory=frozenset)

    def selects(self, record: TrialRecord) -> bool:
        """Whether a trial is among those that were asked for."""
        return (
            (not self.arms or record.arm in self.arms)
            and (not self.seeds or record.seed in self.seeds)
            and (not self.settings or record.setting in self.settings)
        )


def check_selection(options: Options, study: Study) -> None:
    """Check that the study has what the options choose.

    Raises:
        Ended: it has not, or the study is a search, which cannot be run in part.
    """
    if study.search is not None:
        if options.arms or options.seeds or options.settings:
            raise Ended(
                "--arms, --seeds and --settings choose among an ablation's trials; "
                "a search is run whole",
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


def _check_known(option: str, wanted: Set[str], known: Set[str]) -> None:
    """Raise Ended if an option names what the study does not have."""
    unknown = wanted - known
    if unknown:
        wrong = ", ".join(sorted(unknown))
        right = ", ".join(sorted(known)) or "none"
        raise Ended(f"{option}: the study has no {wrong}; it has {right}", WRONG)
