"""Contract of a study's results folder: its plan, and the state of each trial.

Layout: `study.yaml`, `trials.json`, `provenance.json`, `study.lock`,
`runs/[<setting>/]<arm>/seed=<n>/`, `archive/<time>/…`, `report/`; file names are in
`trainable/storage/names.py`. The commands status, plan, run, shard and report all call
`trial_state`. It reads files only, with the standard library. It therefore works while a study
runs, after a node has failed, and without torch, Ray or pandas.
"""

import json
import math
from collections.abc import Container, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, get_args

from trainable.storage import names
from trainable.storage.checksums import FORMAT, Damaged, read_signed, signed
from trainable.storage.trial_folder import PLACE, TrialFolder

State = Literal[
    "done", "stopped", "running", "partial", "failed", "blocked", "stale", "damaged", "todo"
]
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
    study's factors change. `checksums` is whether all trials were made with checksums, which are
    then compulsory. `study_checksum` identifies the content of `study.yaml`.
    """

    study: str
    max_failures: int
    records: list[TrialRecord]
    margin: float = 0.5
    factors: list[str] = field(default_factory=list)
    checksums: bool = False
    study_checksum: str | None = None

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
        if self.checksums:
            content["format"] = FORMAT
        if self.study_checksum:
            content["study_checksum"] = self.study_checksum
        return json.dumps(signed(content), indent=1)


def read_plan(root: Path) -> StudyPlan:
    """Return the plan of the study in `root`.

    Raises:
        NoStudy: there is no readable plan, it is not as it was written, or it has a folder outside
            of `runs/`.
    """
    try:
        content = read_signed(root / names.PLAN)
        plan = _plan(content)
    except Damaged as error:
        raise NoStudy(
            f"{root}: {error}. `run` or `shard` of its study file writes it anew"
        ) from None
    except (OSError, ValueError, KeyError, TypeError):
        raise NoStudy(
            f"{root} contains no study results (there is no readable {names.PLAN} in it)"
        ) from None
    for trial, record in zip(content["trials"], plan.records, strict=True):
        if not PLACE.fullmatch(record.name):
            raise NoStudy(f"{root}/{names.PLAN}: {record.name} is not a trial folder")
        folder = trial.get("folder", f"{names.RUNS}/{record.name}")
        if folder != f"{names.RUNS}/{record.name}":
            raise NoStudy(
                f"{root}/{names.PLAN}: {folder} is not a trial folder: "
                f"{record.name} is planned there"
            )
    return plan


def _plan(content: dict[str, Any]) -> StudyPlan:
    """Read `trials.json`. Raises KeyError, TypeError or ValueError for another shape."""
    study = content["study"]
    max_failures = content["max_failures"]
    margin = content.get("margin", 0.5)
    factors = content.get("factors", [])
    if not isinstance(study, str) or not isinstance(max_failures, int):
        raise TypeError
    if not isinstance(margin, int | float) or not math.isfinite(margin):
        raise TypeError
    if not isinstance(factors, list) or not all(isinstance(path, str) for path in factors):
        raise TypeError
    return StudyPlan(
        study=study,
        max_failures=max_failures,
        records=[_record(trial) for trial in content["trials"]],
        margin=margin,
        factors=factors,
        checksums=content.get("format") == FORMAT,
        study_checksum=content.get("study_checksum"),
    )


def _record(trial: Any) -> TrialRecord:
    """Read a trial of `trials.json`; fields of later versions are ignored."""
    known = [each.name for each in fields(TrialRecord)]
    record = TrialRecord(**{name: trial[name] for name in known if name in trial})
    texts = (record.id, record.arm)
    optional = (record.setting, record.family, record.baseline, record.source)
    if not all(isinstance(value, str) for value in texts):
        raise TypeError
    if not all(isinstance(value, str | None) for value in optional):
        raise TypeError
    if not isinstance(record.seed, int) or not isinstance(record.epochs, int):
        raise TypeError
    return record


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
    damage: str | None = None
    """Which file of a result is not as it was written; there is no summary then."""

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


def read_files(folder: TrialFolder, checksums: bool = False) -> TrialFiles:
    """Read the files that determine a trial's state.

    Args:
        folder: the trial's folder.
        checksums: whether all trials of the study have checksums.
    """
    if not folder.path.exists():
        return TrialFiles()
    trial = folder.trial
    try:
        summary = folder.result(checksums)
        if summary is None:
            folder.check_stopped(checksums)
    except Damaged as error:
        return TrialFiles(exists=True, trial=trial, damage=str(error))
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


def read_folders(
    root: Path, records: Iterable[TrialRecord], others: Iterable[str] = ()
) -> dict[str, TrialFiles]:
    """Read the folders of the study in `root`.

    The weights of a completed trial are checked if a planned trial that has not ended needs them.

    Args:
        root: the study's folder.
        records: the planned trials.
        others: names of further folders below `runs/`.

    Returns:
        name → contents.
    """
    records = list(records)
    runs = root / names.RUNS
    checksums = has_checksums(root)
    files = {}
    for name in dict.fromkeys([*(record.name for record in records), *others]):
        files[name] = read_files(TrialFolder(runs / name), checksums)
    for record in records:
        source = record.source
        if source not in files or files[source].summary is None:
            continue
        if files[record.name].summary is None:
            try:
                TrialFolder(runs / source).check_weights()
            except Damaged as error:
                files[source] = TrialFiles(True, files[source].trial, damage=str(error))
    return files


def has_checksums(root: Path) -> bool:
    """Return whether all trials of the study in `root` were made with checksums."""
    try:
        return read_plan(root).checksums
    except NoStudy:
        return False


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
    if files.damage is not None:
        return "damaged"
    if files.trial is None:
        return "todo"
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
