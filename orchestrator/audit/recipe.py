"""The recipe of an audited arm, for studies that train it again on other labels or folds."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.audit.audit import Audited, NoAudit
from analysis.results.study_plan import read_plan
from orchestrator.audit.labels import of_another_version
from orchestrator.study.study_text import comment, flow, path_in
from trainable.config import strict_yaml
from trainable.config.runtime import Machine
from trainable.config.strict_yaml import ConfigError
from trainable.config.trial import CodeInResults, TrialConfig, stored_config
from trainable.storage.names import STUDY
from trainable.storage.trial_folder import TrialFolder

RESOURCES = {"cpu": 1, "gpu": "auto"}
"""Resources of a trial, if the audited study does not say them."""


def audited_config(root: Path, audited: Audited) -> TrialConfig:
    """Return the configuration of the audited trials.

    Raises:
        NoAudit: a study cannot repeat it; the message has the reason.
    """
    folder = TrialFolder(root / audited.trial["folder"])
    arm = audited.trial["arm"]
    try:
        config = stored_config((folder.trial or {})["config"])
    except CodeInResults:
        raise NoAudit(
            f"the arm {arm} uses an own method or model, whose code is not copied; write the "
            "study by hand"
        ) from None
    except (KeyError, ValueError):
        raise of_another_version(folder) from None
    if config.from_arm is not None:
        raise NoAudit(
            f"the arm {arm} uses the trials of another arm (from_arm); write the study by hand"
        )
    return config


def check_new_file(option: str, file: Path) -> None:
    """Raise NoAudit if a file cannot be written newly."""
    if file.exists():
        raise NoAudit(f"{option} {file}: {file} exists already; name another file")
    if not file.parent.is_dir():
        raise NoAudit(f"{option} {file}: the folder {file.parent} does not exist")


def moved_path(path: str, file: Path, machine: Machine) -> str:
    """Return a path of the audited study as the study `file` writes it."""
    if Path(path).is_absolute():
        return path
    return path_in(file, machine.study_dir / path)


def seeds_of(root: Path, audited: Audited) -> list[int]:
    """Return the seeds of the audited arm, in the study's order."""
    arm, setting = audited.trial["arm"], audited.trial["setting"]
    seeds = [
        record.seed
        for record in read_plan(root).records
        if record.arm == arm and setting in ("", record.setting)
    ]
    return list(dict.fromkeys(seeds))


def resources(root: Path) -> Mapping[str, Any]:
    """Return the resources of a trial as the audited study writes them."""
    try:
        study = strict_yaml.read(root / STUDY).data
    except (ConfigError, OSError):
        return RESOURCES
    written = study.get("resources") if isinstance(study, dict) else None
    return written if isinstance(written, dict) and written else RESOURCES


def place_of(root: Path, audited: Audited) -> str:
    """Write `arm baseline of results/birds, setting sym40, seeds 0, 1`."""
    place = f"arm {audited.trial['arm']} of {root}"
    if audited.trial["setting"]:
        place += f", setting {audited.trial['setting']}"
    return f"{place}, {audited.name}"


def base_lines(recipe: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the sections of a recipe as lines of the study's section `base`."""
    ordered = ("data", "noise", "model", "train", "method")
    lines = [f"  {name}: {flow(dict(recipe[name]))}\n" for name in ordered if name in recipe]
    return "".join(lines)


def commands(file: Path) -> str:
    """Return comments with the commands that plan and run a study file."""
    quoted = shlex.quote(str(file))
    lines = [f"  python -m orchestrator {verb} {quoted}" for verb in ("plan", "run")]
    return "\n".join(map(comment, lines))
