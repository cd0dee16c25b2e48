"""Tables of an audit with names of files and classes, and corrected labels."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pydantic import ValidationError

from analysis.audit.audit import Audited, NoAudit
from analysis.audit.calibration import known
from trainable.config.runtime import Machine
from trainable.config.trial import stored_data
from trainable.data.arrays import Arrays
from trainable.data.registry import load
from trainable.storage.trial_folder import TrialFolder


@dataclass(frozen=True)
class Data:
    """The data set of an audit, with names for its rows and classes."""

    arrays: Arrays

    @property
    def key(self) -> str:
        """Name of the column that identifies a sample: `file` or `index`."""
        return "index" if self.arrays.train.names is None else "file"

    def keys(self, rows: pd.Series | pd.Index) -> list[str | int]:
        """Return the file names of samples; without names, their indices."""
        names = self.arrays.train.names
        if names is None:
            return rows.tolist()
        return [names[row].decode(errors="backslashreplace") for row in rows]

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
    folder = TrialFolder(root / audited.trial["folder"])
    try:
        data = stored_data((folder.trial or {})["config"])
    except (KeyError, ValidationError):
        raise NoAudit(
            f"{folder.path}/trial.json was written by another version, "
            "with fields that this one does not know"
        ) from None
    arrays = load(data, machine)
    if arrays.hash != audited.trial["data_hash"]:
        raise NoAudit(
            f"the data `{data.name}` have changed since {folder.path} was trained on them"
        )
    return Data(arrays)


def listed(audited: Audited, data: Data) -> pd.DataFrame:
    """Return the ranking with readable names, the most probable label error first.

    Columns: file or index, given, suggested, wrong, confidence, trials, and true if it is known.
    """
    ranked = audited.ranked
    table = pd.DataFrame({data.key: data.keys(ranked["index"])})
    for name in ("given", "suggested"):
        table[name] = data.classes(ranked[name])
    table["wrong"] = ranked["wrong"].round(4)
    table["confidence"] = ranked["confidence"].round(4)
    table["trials"] = ranked["trials"]
    if known(ranked):
        table["true"] = data.classes(ranked["true"])
    return table


def corrected(audited: Audited, data: Data, confidence: float) -> tuple[pd.DataFrame, int]:
    """Return corrected labels, and the number of changes.

    A label is replaced by the suggested one if that is correct with at least the probability
    `confidence`. The table has a label for every sample of the training split, in the format of
    `noise: {name: file}`.
    """
    ranked = audited.ranked
    sure = ranked[(ranked["suggested"] != ranked["given"]) & (ranked["confidence"] >= confidence)]
    labels = audited.given.copy()
    labels[sure["index"]] = sure["suggested"].to_numpy()
    table = pd.DataFrame({data.key: data.keys(labels.index), "label": data.classes(labels)})
    return table, len(sure)
