"""Write the study in which every training label is judged by networks that never saw it."""

import shlex
from pathlib import Path

from rich.console import Console

from analysis.audit.audit import Audited, NoAudit, audit
from analysis.results.study_plan import BASELINE
from orchestrator.audit.recipe import (
    audited_config,
    base_lines,
    check_new_file,
    commands,
    moved_path,
    place_of,
    resources,
)
from orchestrator.study.study_text import comment, flow, sections, study_name
from trainable.config.data import FileNoise, NoNoise
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig

TEMPLATE = """\
{origin}
# Every label is judged by networks that were not trained on it: the training set is divided into
# {folds} folds, and each setting holds one of them out as its validation set.
{commands}
{audit}
#
name: {name}
kind: ablation
seeds: {seeds} # each seed judges every image once

base:
{base}
settings: # the folds
{settings}
{arms}resources: {resources}
"""
PLAIN_TRAINING = """\
arms:
  cross_entropy: {method.name: cross_entropy} # plain training: another judgement of every label

"""


def write_cross_fit(
    root: Path,
    setting: str | None,
    arm: str,
    seed: int | None,
    folds: int,
    machine: Machine,
    console: Console,
) -> None:
    """Write a study that trains an arm's recipe once for each fold, next to the results.

    Its seeds are the first of each set of given labels: all seeds have the same labels, or noise
    was injected and each seed has its own.

    Raises:
        NoStudy, NoTrial, NoAudit: there is nothing to audit, or no study can repeat it.
    """
    found = audit(root, setting, arm, seed)
    config = audited_config(root, found[0])
    _check_labels(config)
    name = _name(root, found[0])
    file = root.with_name(f"{name}.yaml")
    check_new_file("--cross-fit", file)
    recipe = sections(config, lambda path: moved_path(path, file, machine))
    for field in ("validation_fraction", "clean_validation", "fold"):
        recipe["data"].pop(field, None)
    recipe["data"]["folds"] = folds
    results = shlex.quote(str(root.with_name(name)))
    study_dir = shlex.quote(str(file.parent))
    text = TEMPLATE.format(
        origin=comment(
            f"Written by `audit --cross-fit` from the audit of {place_of(root, found[0])}."
        ),
        folds=folds,
        commands=commands(file),
        audit=comment(f"  python -m orchestrator audit {results} --study-dir {study_dir}"),
        name=flow(name),
        seeds=flow([each.seeds[0] for each in found]),
        base=base_lines(recipe),
        settings="".join(f"  fold{fold}: {{data.fold: {fold}}}\n" for fold in range(folds)),
        arms="" if config.method.name == "cross_entropy" else PLAIN_TRAINING,
        resources=flow(dict(resources(root))),
    )
    file.write_text(text, encoding="utf-8")
    command = f"python -m orchestrator plan {shlex.quote(str(file))}"
    console.print(f"wrote {file}; next: {command}")


def _check_labels(config: TrialConfig) -> None:
    """Raise NoAudit if the labels of the audited trials cannot be those of all folds."""
    if config.data.clean_validation and not isinstance(config.noise, NoNoise | FileNoise):
        raise NoAudit(
            "--cross-fit: with data.clean_validation: true noise is drawn after the validation set "
            "is held out, so that each fold would have other labels; use false"
        )


def _name(root: Path, audited: Audited) -> str:
    """Return the name of the study: that of the audited results, its setting and arm."""
    parts = [root.resolve().name, audited.trial["setting"]]
    if audited.trial["arm"] != BASELINE:
        parts.append(audited.trial["arm"])
    return study_name("_".join(filter(None, [*parts, "cross_fit"])))
