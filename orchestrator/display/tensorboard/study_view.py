"""What TensorBoard shows of one study: links to its trials' event files, and averages of arms."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.results.read import read_results
from analysis.results.study_plan import TrialRecord, read_plan
from analysis.results.varied_fields import Value, varied_fields
from orchestrator.display.tensorboard.averages import Arm, write_averages
from orchestrator.display.tensorboard.event_files import EVENTS, write_events
from orchestrator.display.tensorboard.hyper_parameters import config_of, started
from trainable.storage import names
from trainable.storage.trial_folder import PLACE

FIELDS = f"{EVENTS}.{0:010}.fields"
"""File of a trial's hyper-parameters, which TensorBoard reads before the trial's own."""


@dataclass(frozen=True)
class Found:
    """The trials of a study.

    Attributes:
        arms: those of the plan.
        seeds: names of the planned trials, one list a seed in the study's order.
        others: names of trials with a folder that are not in the plan: those of a search.
    """

    arms: list[Arm]
    seeds: list[list[str]]
    others: list[str]


class StudyView:
    """What TensorBoard shows of one study.

    Args:
        root: the study's folder.
        folder: TensorBoard's folder of it.
    """

    def __init__(self, root: Path, folder: Path):
        self.root = root
        self.folder = folder
        self.arms: dict[Arm, int] = {}
        """Arms to average, and the place of each in the list of runs."""
        self.trials: dict[str, None] = {}
        """Names of the trials to show, in order."""
        self._fields: dict[Arm, dict[str, Value]] = {}
        self._first: dict[Arm, dict[str, Any]] = {}
        self._done: frozenset[str] = frozenset()

    @property
    def linked(self) -> int:
        """Number of trials that are shown and have event files."""
        return sum((self.folder / name).is_dir() for name in self.trials)

    def found(self) -> Found:
        """Return the trials that there are, and note the configurations of new arms."""
        planned = read_plan(self.root).records
        runs = self.root / names.RUNS
        there = [folder.relative_to(runs).as_posix() for folder in sorted(runs.rglob("seed=*"))]
        known = {record.name for record in planned}
        others = [name for name in there if name not in known and PLACE.fullmatch(name)]
        self._note_fields([record.name for record in planned] + others)
        return Found(
            arms=list(dict.fromkeys((record.setting or "", record.arm) for record in planned)),
            seeds=_by_seed(planned),
            others=others,
        )

    def _note_fields(self, trials: Iterable[str]) -> None:
        """Read the configuration of the first trial of each new arm; compare all."""
        new = False
        for name in trials:
            setting, arm, _ = _parts(name)
            if (setting, arm) not in self._first and (config := config_of(self._path(name))):
                self._first[setting, arm] = config
                new = True
        if new:
            self._fields = varied_fields(self._first)

    def _path(self, trial: str) -> Path:
        return self.root / names.RUNS / trial

    def update(self, number: int) -> list[dict[str, Value]]:
        """Link new event files, and renew the averages if trials were completed since.

        Args:
            number: that of the update, which increases.

        Returns:
            The rows of the table of hyper-parameters.
        """
        rows = []
        for name in self.trials:
            setting, arm, seed = _parts(name)
            if self._path(name).is_dir():
                row: dict[str, Value] = {"arm": arm, "seed": seed}
                if setting:
                    row["setting"] = setting
                row |= self._fields.get((setting, arm), {})
                self._link(name, row)
                rows.append(row)
        self._average(number)
        return rows

    def _link(self, name: str, row: dict[str, Value]) -> None:
        """Link the event files of a trial, after a file with its hyper-parameters."""
        events = sorted(self._path(name).glob(f"{EVENTS}.*"))
        target = self.folder / name
        if events and not target.is_dir():
            write_events(target / FIELDS, [started(row, name)], _begun(events[0]))
        for file in events:
            link = target / file.name
            if not link.is_symlink():
                link.symlink_to(file)

    def _average(self, number: int) -> None:
        """Write averages if other trials are completed than at the last time."""
        summaries = (self.root / names.RUNS).rglob(names.SUMMARY)
        done = frozenset(str(file) for file in summaries)
        if done != self._done:
            results = read_results(self.root)
            write_averages(results, self.folder, number, self.arms, self._fields)
            self._done = done


def _by_seed(records: Iterable[TrialRecord]) -> list[list[str]]:
    """Return the names of trials, one list a seed."""
    seeds: dict[int, list[str]] = {}
    for record in records:
        seeds.setdefault(record.seed, []).append(record.name)
    return list(seeds.values())


def _parts(name: str) -> tuple[str, str, int]:
    """Return setting ("" if there is none), arm and seed of a trial's name."""
    *setting, arm, seed = name.split("/")
    return "/".join(setting), arm, int(seed.removeprefix("seed="))


def _begun(events: Path) -> float:
    """Return the time in the name of an event file, s since 1970."""
    time = events.name.split(".")[3]
    return float(time) if time.isdecimal() else 0.0
