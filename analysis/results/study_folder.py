"""The contract of a study's results folder: its plan, and the state of each trial.

Layout: `study.yaml`, `trials.json`, `provenance.json`, `study.lock`,
`runs/[<setting>/]<arm>/seed=<n>/`, `archive/<time>/…`, `report/`; file names are in
`trainable/storage/names.py`. status, plan, run, shard and report all call `trial_state` for a
trial's state. It is derived from files alone, by the standard library: also while a study runs,
after a node has failed, and where neither torch nor Ray nor pandas is installed.
"""

import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from trainable.storage import names
from trainable.storage.trial_folder import PLACE, TrialFolder

State = Literal["done", "stopped", "running", "partial", "failed", "blocked", "stale", "todo"]
STATES: tuple[State, ...] = get_args(State)


class NoStudy(Exception):
    """A folder holds no study's results."""


# --- the plan ---


@dataclass(frozen=True)
class TrialRecord:
    """One planned trial as `trials.json` has it.

    `family` groups the comparisons that are corrected together: None for the baseline, "arms", or a
    factor's path. `baseline` names the arm it is paired with; None if the arm changes data or noise
    and cannot be paired. `source` is the name of the trial that it uses (`from_arm`), which has to
    be done first.
    """

    id: str
    setting: str | None
    arm: str
    seed: int
    family: str | None
    baseline: str | None
    epochs: int
    source: str | None = None

    @property
    def name(self) -> str:
        """Its folder below `runs/`."""
        return trial_name(self.setting, self.arm, self.seed)


def trial_name(setting: str | None, arm: str, seed: int) -> str:
    """`[setting/]arm/seed=n`."""
    return "/".join(filter(None, [setting, arm, f"seed={seed}"]))


@dataclass(frozen=True)
class StudyPlan:
    """What `trials.json` holds: the study as it was last run.

    `max_failures` is the number of failed attempts after which a trial is not tried again.
    Differences within ±`margin` points count as none. `factors` are the paths of the fields that
    the study's factors change.
    """

    study: str
    max_failures: int
    records: list[TrialRecord]
    margin: float = 0.5
    factors: list[str] = field(default_factory=list)

    def to_json(self) -> str:
        """The content of `trials.json`."""
        trials = []
        for record in self.records:
            trial = asdict(record)
            trial["folder"] = f"{names.RUNS}/{record.name}"
            trials.append(trial)
        content = {
            "study": self.study,
            "max_failures": self.max_failures,
            "margin": self.margin,
            "factors": self.factors,
            "trials": trials,
        }
        return json.dumps(content, indent=1)


def read_plan(root: Path) -> StudyPlan:
    """The plan of the study in `root`.

    Raises:
        NoStudy: there is no readable plan, or it names a folder outside of `runs/`.
    """
    try:
        content = json.loads((root / names.PLAN).read_bytes())
        records = [_record(trial) for trial in content["trials"]]
        record_names = [record.name for record in records]
        plan = StudyPlan(
            study=content["study"],
            max_failures=content["max_failures"],
            records=records,
            margin=content.get("margin", 0.5),
            factors=content.get("factors", []),
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise NoStudy(
            f"{root} holds no study's results (there is no readable {names.PLAN} in it)"
        ) from None
    for trial, name in zip(content["trials"], record_names, strict=True):
        if not PLACE.fullmatch(name):
            raise NoStudy(f"{root}/{names.PLAN}: {name} is no folder of a trial")
        folder = trial.get("folder", f"{names.RUNS}/{name}")
        if folder != f"{names.RUNS}/{name}":
            raise NoStudy(
                f"{root}/{names.PLAN}: {folder} is no folder of a trial: {name} is planned there"
            )
    return plan


def _record(trial: dict[str, Any]) -> TrialRecord:
    """A trial of `trials.json`; fields that later versions add are ignored."""
    known = [each.name for each in fields(TrialRecord)]
    return TrialRecord(**{name: trial[name] for name in known if name in trial})


# --- states ---


@dataclass(frozen=True)
class TrialFiles:
    """What the small files of a trial's folder hold; None where one is absent or cannot be read.

    Files that no longer matter are not read: a trial that is done has neither a failure nor an
    owner.
    """

    exists: bool = False
    trial: dict[str, Any] | None = None
    summary: dict[str, Any] | None = None
    stopped: dict[str, Any] | None = None
    failure: dict[str, Any] | None = None
    owner: dict[str, Any] | None = None
    has_checkpoint: bool = False

    @property
    def id(self) -> str | None:
        """What was trained here."""
        return (self.trial or {}).get("id")

    @property
    def code(self) -> str | None:
        """Hash of the code that trained it."""
        about = self.trial or {}
        fingerprint = about.get("fingerprint") or {}
        return fingerprint.get("code")


def read_files(folder: TrialFolder) -> TrialFiles:
    """Read what decides on a trial's state."""
    if not folder.path.exists():
        return TrialFiles()
    trial = folder.trial
    summary = folder.summary
    if summary is not None:
        return TrialFiles(exists=True, trial=trial, summary=summary)
    return TrialFiles(
        exists=True,
        trial=trial,
        stopped=folder.stopped,
        failure=folder.failure,
        owner=folder.owner,
        has_checkpoint=folder.has_checkpoint,
    )


def trial_state(
    files: TrialFiles, planned_id: str, max_failures: int, owner_alive: bool = False
) -> State:
    """The state of one trial, its dependencies left out.

    Args:
        files: what its folder holds.
        planned_id: what the study plans to train there.
        max_failures: failed attempts after which it is not tried again.
        owner_alive: whether the process that owns the folder may still run.
    """
    if files.trial is None:
        # A summary without `trial.json` is the result of an unknown configuration.
        return "todo" if files.summary is None else "stale"
    if files.id != planned_id:
        return "stale"
    if files.summary is not None:
        return "done"
    if files.stopped is not None:
        return "stopped"
    if files.failure is not None and _given_up(files.failure, max_failures):
        return "failed"
    if owner_alive:
        return "running"
    return "partial" if files.has_checkpoint else "todo"


def _given_up(failure: dict[str, Any], max_failures: int) -> bool:
    return not failure.get("retry", False) or failure.get("attempts", 1) > max_failures


def study_states(
    records: Iterable[TrialRecord],
    files: Mapping[str, TrialFiles],
    max_failures: int,
    owned: Container[str] = (),
) -> dict[TrialRecord, State]:
    """The state of each planned trial; one is blocked if a trial that it depends on has failed.

    Args:
        records: the planned trials.
        files: what their folders hold, by name; a folder that is not there may be left out.
        max_failures: failed attempts after which a trial is not tried again.
        owned: names of the trials whose owner may still run.
    """
    absent = TrialFiles()
    states: dict[TrialRecord, State] = {}
    for record in records:
        held = files.get(record.name, absent)
        states[record] = trial_state(held, record.id, max_failures, record.name in owned)
    by_name = {record.name: record for record in states}

    def blocked(record: TrialRecord) -> bool:
        if states[record] not in ("todo", "partial") or record.source not in by_name:
            return False
        source = by_name[record.source]
        return states[source] == "failed" or blocked(source)

    waiting = [record for record in states if blocked(record)]
    states.update(dict.fromkeys(waiting, "blocked"))
    return states
