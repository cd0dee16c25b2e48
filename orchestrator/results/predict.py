"""Predict images with the networks of completed trials, and write a table."""

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.results.selected_trials import select
from analysis.results.study_plan import TrialRecord
from orchestrator.results.store import Store
from trainable.data.feature_scale import FeatureScale
from trainable.data.image_folder import KINDS
from trainable.storage.spreadsheets import escaped
from trainable.trial.prediction import Predicted, Skipped, predict
from trainable.trial.trained_model import TrainedModel

PARTIAL = ".part"
"""Suffix of the table while it is written."""


class NoPrediction(Exception):
    """Nothing can be predicted; the message has the reason."""


@dataclass(frozen=True)
class Selection:
    """Which completed trials of a study predict.

    Attributes:
        setting: its name; None: the study has one only.
        arm: name of the arm.
        seed: seed of the trial; None: the first completed one.
        ensemble: whether all completed seeds of the arm predict together.
    """

    setting: str | None
    arm: str
    seed: int | None
    ensemble: bool


def completed(store: Store, selection: Selection) -> list[TrialRecord]:
    """Return the trials that predict.

    Raises:
        NoStudy: the folder contains no study results.
        NoTrial: the study has no such trial.
        NoPrediction: none is completed.
    """
    plan = store.read_plan()
    records = select(plan.records, selection.setting, selection.arm, selection.seed)
    states = store.planned(plan.records).states(plan.records, plan.max_failures)
    done = [record for record in records if states[record] == "done"]
    if not done:
        raise NoPrediction(f"{store.root}: none of the {len(records)} selected trials is completed")
    return done if selection.ensemble else done[:1]


@dataclass(frozen=True)
class Outcome:
    """What became of the images.

    Attributes:
        predicted: number of images in the table.
        skipped: number of images and files that could not be read.
    """

    predicted: int
    skipped: int


def write_predictions(
    models: Sequence[TrainedModel],
    paths: Sequence[Path],
    out: Path,
    top: int,
    tell: Callable[[str], None],
) -> Outcome:
    """Predict images and write a table with a row for each.

    Columns: `file`, `index` (row in an array; empty for files), `class` and `probability` of the
    most probable class, then `class_2`, `probability_2`, … up to `top`. The table exists only if
    all images have been seen.

    Args:
        models: networks of each trial; the trials' probabilities are averaged.
        paths: image files, `.npz` files and folders.
        out: the table to write.
        top: number of most probable classes.
        tell: called with a sentence for each image that cannot be read.

    Raises:
        DataError: the trials have different classes or images.
        NoPrediction: there are no images, or the options do not fit.
    """
    classes = len(models[0].class_names)
    if top > classes:
        raise NoPrediction(f"--top {top}: there are {classes} classes")
    partial = out.with_name(f"{out.name}{PARTIAL}")
    predicted = 0
    skipped = 0
    try:
        with partial.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(_header(top))
            for found in predict(models, paths, top):
                if isinstance(found, Skipped):
                    tell(f"skipped: {found.reason}")
                    skipped += 1
                else:
                    table.writerow(_row(found))
                    predicted += 1
        if predicted + skipped == 0:
            shown = ", ".join(map(str, paths))
            if isinstance(models[0].preprocessing, FeatureScale):
                raise NoPrediction(f"there are no embeddings in {shown}")
            raise NoPrediction(f"there are no images in {shown} (known types: {KINDS})")
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)
    return Outcome(predicted, skipped)


def _header(top: int) -> list[str]:
    columns = ["file", "index", "class", "probability"]
    for place in range(2, top + 1):
        columns += [f"class_{place}", f"probability_{place}"]
    return columns


def _row(found: Predicted) -> list[str]:
    row = [escaped(found.file), "" if found.index is None else str(found.index)]
    for name, probability in zip(found.classes, found.probabilities, strict=True):
        row += [escaped(name), f"{probability:.6g}"]
    return row
