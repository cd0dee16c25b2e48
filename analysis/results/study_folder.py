"""Contract of a study's results folder: its plan, and the state of each trial.

Layout: `study.yaml`, `trials.json`, `provenance.json`, `study.lock`,
`runs/[<setting>/]<arm>/seed=<n>/`, `archive/<time>/…`, `report/`; file names are in
`trainable/storage/names.py`. The commands status, plan, run, shard and report all call
`trial_state`. It reads files only, with the standard library. It therefore works while a study
runs, after a node has failed, and without torch, Ray or pandas.
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
    """A folder contains no study results."""


# --- the plan ---


@dataclass(frozen=True)
class TrialRecord:
    """One planned trial as in `trials.json`.

    `family` groups comparisons that are corrected together: None for the baseline, "arms", or a
    factor's path. `baseline` is the arm that it is paired with; None if the arm changes data or
    noise. `source` is the name of the trial that it depends on (`from_arm`), or None.
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
        """The trial's folder below `runs/`."""
        return trial_name(self.setting, self.arm, self.seed)


def trial_name(setting: str | None, arm: str, seed: int) -> str:
    """Return `[setting/]arm/seed=n`."""
    return "/".join(filter(None, [setting, arm, f"seed={seed}"]))


@dataclass(frozen=True)
class StudyPlan:
    """Content of `trials.json`: the study as it was last run.

    `max_failures` is the number of failed attempts after which a trial is not run again. `margin`
    is the equivalence margin in percentage points. `factors` are the paths of the fields that the
    study's factors change.
    """

    study: str
    max_failures: int
    records: list[TrialRecord]
    margin: float = 0.5
    factors: list[str] = field(default_factory=list)

    def to_json(self) -> str:
        """Return the content of `trials.json`."""
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
    """Return the plan of the study in `root`.

    Raises:
        NoStudy: there is no readable plan, or it has a folder outside of `runs/`.
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
            f"{root} contains no study results (there is no readable {names.PLAN} in it)"
        ) from None
    for trial, name in zip(content["trials"], record_names, strict=True):
        if not PLACE.fullmatch(name):
            raise NoStudy(f"{root}/{names.PLAN}: {name} is not a trial folder")
        folder = trial.get("folder", f"{names.RUNS}/{name}")
        if folder != f"{names.RUNS}/{name}":
            raise NoStudy(
                f"{root}/{names.PLAN}: {folder} is not a trial folder: {name} is planned there"
            )
    return plan


def _record(trial: dict[str, Any]) -> TrialRecord:
    """Read a trial of `trials.json`; fields of later versions are ignored."""
    known = [each.name for each in fields(TrialRecord)]
    return TrialRecord(**{name: trial[name] for name in known if name in trial})


# --- states ---


@dataclass(frozen=True)
class TrialFiles:
    """Contents of the small files of a trial's folder; None if a file cannot be read.

    Files that are irrelevant for the state are not read: a completed trial has neither failure nor
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
        """Id of the trial in this folder."""
        return (self.trial or {}).get("id")

    @property
    def code(self) -> str | None:
        """Hash of the code that ran it."""
        about = self.trial or {}
        fingerprint = about.get("fingerprint") or {}
        return fingerprint.get("code")


def read_files(folder: TrialFolder) -> TrialFiles:
    """Read the files that determine a trial's state."""
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
    """Return the state of one trial, without regard to its dependencies.

    Args:
        files: contents of its folder.
        planned_id: id of the trial that the study plans in this folder.
        max_failures: number of failed attempts after which it is not run again.
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
    """Return the state of each planned trial; it is blocked if a dependency has failed.

    Args:
        records: the planned trials.
        files: name → contents of their folders; missing folders may be omitted.
        max_failures: number of failed attempts after which a trial is not run again.
        owned: names of the trials whose owner may still run.
    """
    absent = TrialFiles()
    states: dict[TrialRecord, State] = {}
    for record in records:
        held = files.get(record.name, absent)
        states[record] = trial_state(held, record.id, max_failures, record.name in owned)
    states.update(dict.fromkeys(_blocked(states), "blocked"))
    return states


def _blocked(states: dict[TrialRecord, State]) -> list[TrialRecord]:
    """Return the trials that wait for a trial that has failed, directly or by others."""
    by_name = {record.name: record for record in states}
    blocked: dict[TrialRecord, bool] = {}
    for record in states:
        chain = []
        while record not in blocked:
            waits = states[record] in ("todo", "partial")
            if not waits or record.source not in by_name:
                blocked[record] = states[record] == "failed"
                break
            chain.append(record)
            record = by_name[record.source]
        blocked.update(dict.fromkeys(chain, blocked[record]))
    return [record for record, waits in blocked.items() if waits and states[record] != "failed"]
