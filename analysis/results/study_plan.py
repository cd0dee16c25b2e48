"""Plan of a study, `trials.json`: every planned trial, with the folder of each.

It uses the standard library only, so that it is read without torch, Ray or pandas.
"""

import functools
import json
import math
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, get_type_hints

from trainable.storage import names
from trainable.storage.checksums import FORMAT, Damaged, file_version, read_signed, signed
from trainable.storage.trial_folder import PLACE

BASELINE = "baseline"
"""The arm that every other one is compared with."""


DeclaredNoise = float | list[list[int]]
"""The rate of symmetric noise, or numbers of labels by true class (rows) and label (columns)."""


class NoStudy(Exception):
    """A folder contains no study results."""


@dataclass(frozen=True)
class TrialRecord:
    """One planned trial as in `trials.json`.

    `family` groups comparisons that are corrected together: None for the baseline, "arms", or a
    factor's path. `baseline` is the arm that it is paired with; None if the arm changes data or
    noise. `source` is the name of the trial that it depends on (`from_arm`), or None. It is paired
    in spite of `other_labels` than the baseline's where files of labels are compared.
    """

    id: str
    setting: str | None
    arm: str
    seed: int
    family: str | None
    baseline: str | None
    epochs: int
    source: str | None = None
    other_labels: bool = False

    @functools.cached_property
    def name(self) -> str:
        """The trial's folder below `runs/`."""
        return trial_name(self.setting, self.arm, self.seed)


KINDS = get_type_hints(TrialRecord)
"""Field of a trial → its type."""


def trial_name(setting: str | None, arm: str, seed: int) -> str:
    """Return `[setting/]arm/seed=n`."""
    return "/".join(filter(None, [setting, arm, f"seed={seed}"]))


@dataclass(frozen=True)
class Joined:
    """An arm that takes part in a sequential study's comparison with the baseline.

    Attributes:
        setting, arm, family: its place in the study.
        id, baseline: ids of its and the baseline's trial on the first seed. Another baseline, or
            other settings of the arm, are another question.
        generation: 0 for the first arms of the family, 1 for those that joined next, ….
        start: number of seeds that its comparison leaves out, because the baseline had used them.
    """

    setting: str | None
    arm: str
    family: str
    id: str
    baseline: str
    generation: int
    start: int


@dataclass(frozen=True)
class SequentialDesign:
    """Seeds of a study that adds them until its questions are answered.

    Attributes:
        at_least, at_most: numbers of seeds of an arm.
        first: the first seed; the others follow in order.
        arms: all arms that share the error of their family, with those that were removed from the
            study while their question was open.
    """

    at_least: int
    at_most: int
    first: int = 0
    arms: tuple[Joined, ...] = ()

    @property
    def seeds(self) -> range:
        """All seeds that may be used, in their order."""
        return range(self.first, self.first + self.at_most)


@dataclass(frozen=True)
class StudyPlan:
    """Content of `trials.json`: the study as it was last run.

    `max_failures` is the number of failed attempts after which a trial is not run again. `margin`
    is the equivalence margin in percentage points. `factors` are the paths of the fields that the
    study's factors change. `checksums` is whether all trials were made with checksums, which are
    then compulsory. `study_checksum` identifies the content of `study.yaml`. `design` is None for a
    fixed list of seeds; otherwise `records` has the trials that were needed so far. `primary` is
    the arm whose difference from the baseline the study is about. `test_noise` is setting (or "") →
    declared noise of the test labels.
    """

    study: str
    max_failures: int
    records: list[TrialRecord]
    margin: float = 0.5
    factors: list[str] = field(default_factory=list)
    checksums: bool = False
    study_checksum: str | None = None
    design: SequentialDesign | None = None
    primary: str | None = None
    test_noise: dict[str, DeclaredNoise] = field(default_factory=dict)

    def to_json(self) -> str:
        """Return the content of `trials.json`."""
        trials = []
        for record in self.records:
            trial = asdict(record)
            if not record.other_labels:
                del trial["other_labels"]
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
        if self.primary:
            content["primary"] = self.primary
        if self.test_noise:
            content["test_noise"] = self.test_noise
        if self.design:
            content["design"] = asdict(self.design)
        if self.study_checksum:
            content["study_checksum"] = self.study_checksum
        return json.dumps(signed(content), indent=1)


def read_plan(root: Path) -> StudyPlan:
    """Return the plan of the study in `root`; its file is read again only if it has changed.

    Raises:
        NoStudy: there is no readable plan, it is not as it was written, or it has a folder outside
            of `runs/`.
    """
    try:
        version = file_version(root / names.PLAN)
    except OSError:
        version = ()
    return _read_plan(root, version)


def _what_it_is(root: Path) -> str:
    """Return what a folder without a plan is, with what reads it; "" if that is unknown."""
    readers = "`python -m orchestrator reproduce` and `trainable.api.load_model`"
    if (root / names.TRIAL).is_file():
        return f". It is the folder of one trial, which {readers} take"
    if any(root.glob("experiment_state-*.json")):
        return (
            ". It is an experiment of Ray Tune, which ray.tune.ResultGrid shows; "
            f"{readers} take the folders of its completed trials"
        )
    return ""


@functools.lru_cache(maxsize=1)
def _read_plan(root: Path, version: tuple[int, ...]) -> StudyPlan:
    """Read the plan of the study in `root`. Raises NoStudy."""
    del version
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
            f"{_what_it_is(root)}"
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
    primary = content.get("primary")
    if not isinstance(study, str) or not isinstance(max_failures, int):
        raise TypeError
    if not isinstance(margin, int | float) or not math.isfinite(margin):
        raise TypeError
    if not isinstance(factors, list) or not all(isinstance(path, str) for path in factors):
        raise TypeError
    if not isinstance(primary, str | None):
        raise TypeError
    test_noise = content.get("test_noise", {})
    if not isinstance(test_noise, dict):
        raise TypeError
    return StudyPlan(
        study=study,
        max_failures=max_failures,
        records=[_record(trial) for trial in content["trials"]],
        margin=margin,
        factors=factors,
        checksums=content.get("format") == FORMAT,
        study_checksum=content.get("study_checksum"),
        design=_design(content.get("design")),
        primary=primary,
        test_noise=test_noise,
    )


def _design(content: Any) -> SequentialDesign | None:
    """Read how seeds are added; None for a fixed list of seeds."""
    if content is None:
        return None
    arms = tuple(Joined(**arm) for arm in content["arms"])
    design = SequentialDesign(**{**content, "arms": arms})
    numbers = [design.at_least, design.at_most, design.first]
    for arm in arms:
        numbers += [arm.generation, arm.start]
    if not all(isinstance(number, int) and number >= 0 for number in numbers):
        raise TypeError
    return design


def _record(trial: Any) -> TrialRecord:
    """Read a trial of `trials.json`; fields of later versions are ignored."""
    record = TrialRecord(**{name: trial[name] for name in KINDS if name in trial})
    for name, kind in KINDS.items():
        if not isinstance(getattr(record, name), kind):
            raise TypeError
    return record


def has_checksums(root: Path) -> bool:
    """Return whether all trials of the study in `root` were made with checksums."""
    try:
        return read_plan(root).checksums
    except NoStudy:
        return False
