"""Write corrected labels: as a table, as arrays, or as a folder of links to the images."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from rich.console import Console

from analysis.audit.audit import Audited, NoAudit
from analysis.report.formats import write_csv
from orchestrator.audit.labels import Corrected, Data, corrected
from orchestrator.audit.review import settled
from trainable.data.arrays import Split
from trainable.data.features import Features
from trainable.data.images import Files


def apply_corrections(
    found: list[Audited],
    data: Data,
    decisions: Path,
    path: Path,
    confidence: float,
    console: Console,
) -> Corrected:
    """Write the corrected labels of the only set of given labels, and where they come from.

    Args:
        found: the audits.
        data: their data.
        decisions: file of reviewers' decisions; it may be absent.
        path: `*.csv`, `*.npz`, or a folder.
        confidence: the least probability with which a suggestion must be correct to be taken.
        console: where it is said what was done.

    Returns:
        The corrected labels.

    Raises:
        NoAudit: there are several sets, the images cannot be written in this form, or there is a
            file where the record would be.
        BadDecisions: the file of decisions has faults; nothing is written.
    """
    if len(found) > 1:
        raise NoAudit(
            "--apply: noise was injected, so each seed has its own label errors; "
            "choose one with --seed"
        )
    (audited,) = found
    about = path.with_name(f"{path.name}.json")
    if about.exists():
        raise NoAudit(f"--apply {path}: {about} exists already; name another file")
    said = settled(audited, data, decisions)
    new = corrected(audited, said, confidence)
    use = _write(new, data, path)
    record = {
        "data": data.arrays.hash,
        "arm": audited.trial["arm"],
        "setting": audited.trial["setting"],
        "seeds": audited.seeds,
        "min_confidence": confidence,
        "decisions": _digest(decisions),
        "changed_by_decisions": new.decided,
        "changed_by_suggestions": new.suggested,
        "unusable": [data.image(row) for row in new.unusable],
        "unsure_or_disputed": new.open,
    }
    about.write_text(json.dumps(record, indent=1, ensure_ascii=False), encoding="utf-8")
    changed = new.decided + new.suggested
    text = f"{path}: {changed} of {len(new.labels)} labels changed"
    if said:
        text += f", {new.decided} by decisions and {new.suggested} by suggestions"
    console.print(f"{text}; to train on them: {use}")
    if not audited.judgement.counts:
        console.print(
            "no suggestion was taken, since the audit gives no probabilities: correct labels with "
            "--review"
        )
    if new.unusable and path.suffix == ".csv":
        console.print(
            f"{len(new.unusable)} unusable images keep their given labels: remove them from the "
            f"data; they are listed in {about}"
        )
    if new.open:
        console.print(f"{new.open} images are unsure or disputed and keep their given labels")
    return new


def _write(new: Corrected, data: Data, path: Path) -> str:
    """Write the labels; return the lines of a study that train on them."""
    if path.suffix == ".csv":
        write_csv(label_table(new.labels, data), path)
        return f"noise: {{name: file, path: {path}}}"
    images = data.arrays.train.images
    if isinstance(images, Features):
        raise NoAudit(f"--apply {path}: the data are embeddings; name a .csv file")
    if path.suffix == ".npz":
        if isinstance(images, Files):
            raise NoAudit(f"--apply {path}: the images are files; name a .csv file or a folder")
        _write_npz(new, data, path)
        return _use("npz", path, data)
    if path.suffix:
        raise NoAudit(f"--apply {path}: name a .csv file, a .npz file, or a folder (no suffix)")
    if not isinstance(images, Files) or not data.arrays.class_names:
        raise NoAudit(f"--apply {path}: the images are no files; name a .csv or a .npz file")
    _write_links(new, data, images, path)
    return _use("image_folder", path, data)


def label_table(labels: pd.Series, data: Data) -> pd.DataFrame:
    """Return labels by row of the data set as `noise: {name: file}` reads them."""
    return pd.DataFrame({data.key: data.keys(labels.index), "label": data.classes(labels)})


def _use(form: str, path: Path, data: Data) -> str:
    """Return the lines of a study that train on a data set with corrected labels."""
    unchecked = ", test_labels: unchecked" if data.arrays.test_labels == "unchecked" else ""
    fields = f"name: {form}, path: {path}, labels_are_true: false{unchecked}"
    return f"data: {{{fields}}}, noise: {{name: none}}"


def _write_npz(new: Corrected, data: Data, path: Path) -> None:
    """Write the usable training images with their new labels, and the other splits as they are."""
    usable = new.usable
    images = np.asarray(data.arrays.train.images)
    content: dict[str, Any] = {
        "train_images": images[usable.index],
        "train_labels": usable.to_numpy(np.int64),
    }
    for name, split in (("val", data.arrays.validation), ("test", data.arrays.test)):
        if split is not None:
            content[f"{name}_images"] = np.asarray(split.images)
            content[f"{name}_labels"] = split.labels
    np.savez(path, **content)


def _write_links(new: Corrected, data: Data, images: Files, folder: Path) -> None:
    """Write `train/CLASS/…` with links to the usable images, and the other splits as they are."""
    names = data.arrays.class_names
    for row, label in new.usable.items():
        _link(images.path(int(str(row))), folder / "train" / names[label])
    for name, split in (("val", data.arrays.validation), ("test", data.arrays.test)):
        if split is not None:
            _link_split(split, names, folder / name)


def _link_split(split: Split, names: tuple[str, ...], folder: Path) -> None:
    assert isinstance(split.images, Files), "all splits of a data set have the same form"
    for row, label in enumerate(split.labels.tolist()):
        _link(split.images.path(row), folder / names[label])


def _link(image: Path, folder: Path) -> None:
    """Link an image into a folder; where the name is taken, a number is added."""
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / image.name
    number = 1
    while link.is_symlink():
        number += 1
        link = folder / f"{image.stem}-{number}{image.suffix}"
    link.symlink_to(image.resolve())


def _digest(decisions: Path) -> str | None:
    """Return the SHA-256 of the file of decisions; None if there is none."""
    if not decisions.exists():
        return None
    return hashlib.sha256(decisions.read_bytes()).hexdigest()
