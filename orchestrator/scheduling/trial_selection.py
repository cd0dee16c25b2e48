"""What a run was asked to do besides the study: its options, and the trials that they choose."""

from dataclasses import dataclass, field
from typing import Literal

from analysis.results.study_folder import TrialRecord
from orchestrator.exit_codes import WRONG, Ended
from orchestrator.study.load import Study


@dataclass(frozen=True)
class Options:
    """What a run was asked to do besides the study. Empty selections mean all."""

    stale: Literal["refuse", "archive"] = "refuse"
    same_code: bool = False
    retry_failed: bool = False
    dashboard: str | None = "127.0.0.1"
    """The host that Ray's dashboard listens on; None for no dashboard."""
    address: str | None = None
    """A Ray cluster to use: `auto` or HOST:PORT; None for a Ray of our own."""
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
    """Raises Ended if the study has not what the options choose, or is a search, which is whole or not at all."""
    if study.search is not None:
        if options.arms or options.seeds or options.settings:
            raise Ended(
                "--arms, --seeds and --settings choose among an ablation's trials; a search is run whole",
                WRONG,
            )
        return
    records = [trial.record for trial in study.trials]
    for name, wanted, there in (
        ("--arms", {*options.arms}, {r.arm for r in records}),
        ("--seeds", {str(seed) for seed in options.seeds}, {str(r.seed) for r in records}),
        ("--settings", {*options.settings}, {r.setting for r in records if r.setting}),
    ):
        if unknown := wanted - there:
            known = ", ".join(sorted(there)) or "none"
            raise Ended(
                f"{name}: the study has no {', '.join(sorted(unknown))}; it has {known}", WRONG
            )

    if not any(map(options.selects, records)):
        raise Ended(
            "the study has no trial with this --arms, --seeds and --settings together", WRONG
        )
