"""Plan of a study, `trials.json`: every planned trial, with the folder of each.

It uses the standard library only, so that it is read without torch, Ray or pandas.
"""

import json
import math
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from trainable.storage import names
from trainable.storage.checksums import FORMAT, Damaged, read_signed, signed
from trainable.storage.trial_folder import PLACE


class NoStudy(Exception):
    """A folder contains no study results."""


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


def has_checksums(root: Path) -> bool:
    """Return whether all trials of the study in `root` were made with checksums."""
    try:
        return read_plan(root).checksums
    except NoStudy:
        return False
