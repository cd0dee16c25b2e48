"""Tables of an audit with names of files and classes, and corrected labels."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd
from pydantic import ValidationError

from analysis.audit.audit import Audited, FeaturesOf, NoAudit
from analysis.audit.calibration import known
from analysis.audit.decisions import Labels, Settled
from analysis.audit.neighbors import Load
from trainable.config.data import Data as AnyData
from trainable.config.embeddings import Embeddings
from trainable.config.runtime import Machine
from trainable.config.trial import stored_data
from trainable.data.arrays import Arrays, Split
from trainable.data.features import Features
from trainable.data.registry import load
from trainable.storage.trial_folder import TrialFolder


@dataclass(frozen=True)
class Data:
    """The data set of an audit, with names for its rows and classes.

    `split` is the one whose labels are audited.
    """

    arrays: Arrays
    split: Literal["train", "test"] = "train"

    @property
    def samples(self) -> Split:
        """Images and labels of the split."""
        return self.arrays.test if self.split == "test" else self.arrays.train

    @property
    def key(self) -> str:
        """Name of the column that identifies a sample: `file` or `index`."""
        return "index" if self.samples.names is None else "file"

    def keys(self, rows: pd.Series | pd.Index) -> list[str | int]:
        """Return the file names of samples; without names, their indices."""
        names = self.samples.names
        if names is None:
            return rows.tolist()
        return [names[row].decode(errors="backslashreplace") for row in rows]

    def described(self, rows: pd.Series) -> dict[str, list[str]]:
        """Return columns that show samples of embeddings: `path` and `text`, if they are known."""
        features = self.samples.images
        if not isinstance(features, Features):
            return {}
        columns = {"path": features.paths, "text": features.texts}
        return {
            name: [str(cells[row]) for row in rows]
            for name, cells in columns.items()
            if cells is not None
        }

    def image(self, row: int) -> str:
        """Return the file name of a sample; without names, its index as text."""
        names = self.samples.names
        if names is None:
            return str(row)
        return str(names[row].decode(errors="backslashreplace"))

    def given(self, audited: Audited) -> dict[int, int]:
        """Return the given class of each sample that is in a training or validation set."""
        rows = audited.given.index.tolist()
        return dict(zip(rows, audited.given.tolist(), strict=True))

    def labels(self, rows: pd.Index) -> Labels:
        """Return what decisions about these samples may name."""
        numbers = pd.Series(range(self.arrays.classes))
        return Labels(
            data=self.arrays.hash,
            rows={self.image(row): row for row in rows.tolist()},
            classes=[str(name) for name in self.classes(numbers)],
        )

    def class_names(self, audited: Audited) -> list[str]:
        """Return the names of all classes of an audit."""
        return [str(name) for name in self.classes(pd.Series(range(audited.classes)))]

    def classes(self, labels: pd.Series) -> list[str | int]:
        """Return the names of classes; without names, their numbers."""
        names = self.arrays.class_names
        if not names:
            return labels.tolist()
        return [names[label] for label in labels]


def read_data(root: Path, audited: Audited, machine: Machine) -> Data:
    """Load the data that the audited trials were trained on.

    Raises:
        DataError: they are missing or invalid.
        NoAudit: they have changed, or the trial was written by another version.
    """
    return Data(_arrays(root, audited.trial, machine))


def features_of(root: Path, machine: Machine) -> FeaturesOf:
    """Return what finds the features of a trial's training split; None of images.

    It raises DataError and NoAudit as `read_data` does.
    """

    def find(trial: Mapping[str, Any]) -> Load | None:
        if not isinstance(_section(root, trial), Embeddings):
            return None
        vectors = _arrays(root, trial, machine).train.images
        assert isinstance(vectors, Features)
        return vectors.load

    return find


def _arrays(root: Path, trial: Mapping[str, Any], machine: Machine) -> Arrays:
    """Load the data of a trial. Raises DataError, and NoAudit if they have changed."""
    data = _section(root, trial)
    arrays = load(data, machine)
    if arrays.hash != trial["data_hash"]:
        raise NoAudit(
            f"the data `{data.name}` have changed since {root / trial['folder']} was trained on "
            "them"
        )
    return arrays


def _section(root: Path, trial: Mapping[str, Any]) -> AnyData:
    """Return the section `data` of a trial. Raises NoAudit if another version wrote it."""
    folder = TrialFolder(root / trial["folder"])
    try:
        return stored_data((folder.trial or {})["config"])
    except (KeyError, ValidationError):
        raise of_another_version(folder) from None


def of_another_version(folder: TrialFolder) -> NoAudit:
    """Return the error that a trial's configuration has fields that this version does not know."""
    return NoAudit(
        f"{folder.path}/trial.json was written by another version, "
        "with fields that this one does not know"
    )


def listed(audited: Audited, data: Data) -> pd.DataFrame:
    """Return the ranking with readable names, the most suspicious first.

    Columns: file or index, path and text of embeddings, given, suggested, wrong, confidence,
    trials, and true if it is known.
    Those that the audit cannot support are absent, or empty for a class.
    Of a cross-fitted study also out_of_sample (the class preferred by networks that were not
    trained on the sample) and given_probability (theirs of the given class); empty without these.
    """
    ranked = audited.ranked
    table = pd.DataFrame({data.key: data.keys(ranked["index"])})
    for column, cells in data.described(ranked["index"]).items():
        table[column] = cells
    table["given"] = data.classes(ranked["given"])
    if audited.judgement.suggests:
        table["suggested"] = data.classes(ranked["suggested"])
    if audited.judgement.counts:
        table["wrong"] = ranked["wrong"].where(ranked["confidence"].notna()).round(4)
        table["confidence"] = ranked["confidence"].round(4)
    table["trials"] = ranked["trials"]
    if known(ranked):
        table["true"] = data.classes(ranked["true"])
    if audited.held_out is not None:
        held_out = audited.held_out.set_index("index")
        names = pd.Series(data.classes(held_out["class"]), held_out.index, dtype=object)
        table["out_of_sample"] = names.reindex(ranked["index"]).to_numpy()
        own = held_out["own"].round(4)
        table["given_probability"] = own.reindex(ranked["index"]).to_numpy()
    return table


@dataclass(frozen=True)
class Corrected:
    """Corrected labels.

    Attributes:
        labels: class by row of the data set, for every sample of the training split.
        decided, suggested: numbers of labels that were changed by decisions and by suggestions.
        unusable: rows of samples that show no class; they keep their given labels in `labels`.
        open: number of samples that reviewers left unsure or disputed; they keep them, too.
    """

    labels: pd.Series
    decided: int
    suggested: int
    unusable: list[int]
    open: int

    @property
    def usable(self) -> pd.Series:
        """The labels without those of unusable samples."""
        return self.labels.drop(self.unusable)


def corrected(audited: Audited, settled: Mapping[int, Settled], confidence: float) -> Corrected:
    """Return labels as reviewers decided; of other samples, as the audit suggests.

    Args:
        audited: the audit.
        settled: row → what reviewers said; no suggestion is taken for these samples.
        confidence: the least probability with which a suggestion must be correct to be taken.
    """
    ranked = audited.ranked
    sure = ranked[(ranked["suggested"] != ranked["given"]) & (ranked["confidence"] >= confidence)]
    sure = sure[~sure["index"].isin(list(settled))]
    labels = audited.given.copy()
    labels[sure["index"]] = sure["suggested"].to_numpy()
    decided = 0
    outcomes = Counter(found.outcome for found in settled.values())
    for row, found in settled.items():
        if found.label is not None and found.label != labels[row]:
            labels[row] = found.label
            decided += 1
    return Corrected(
        labels=labels,
        decided=decided,
        suggested=len(sure),
        unusable=[row for row, found in settled.items() if found.outcome == "unusable"],
        open=outcomes["unsure"] + outcomes["disputed"],
    )
