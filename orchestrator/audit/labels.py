"""An audit in the names of the data set, and corrected labels.

Files and classes are named, not numbered.
"""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd
from pydantic import ValidationError

from analysis.audit.audit import Audited, NoAudit
from analysis.audit.calibration import known
from trainable.config.runtime import Machine
from trainable.config.trial import stored_config
from trainable.data.arrays import Arrays
from trainable.data.registry import load
from trainable.storage.trial_folder import TrialFolder


@dataclass(frozen=True)
class Data:
    """The data set of an audit, with names for its rows and classes."""

    arrays: Arrays

    @property
    def key(self) -> str:
        """`file` or `index`: what names a row."""
        return "index" if self.arrays.train.names is None else "file"

    def keys(self, rows: pd.Series | pd.Index) -> list[str | int]:
        """File names, or the rows themselves."""
        names = self.arrays.train.names
        if names is None:
            return rows.tolist()
        return [names[row].decode(errors="backslashreplace") for row in rows]

    def classes(self, labels: pd.Series) -> list[str | int]:
        """Names of classes, or their numbers."""
        names = self.arrays.class_names
        if not names:
            return labels.tolist()
        return [names[label] for label in labels]


def read_data(root: Path, audited: Audited, machine: Machine) -> Data:
    """Load the data that the audited trials were trained on.

    Raises:
        DataError: they are absent or wrong.
        NoAudit: they are not the same any more, or the trial was written by another version.
    """
    folder = TrialFolder(root / audited.trial["folder"])
    try:
        config = stored_config((folder.trial or {})["config"])
    except (KeyError, ValidationError):
        raise NoAudit(
            f"{folder.path}/trial.json was written by a version whose fields are not known here"
        ) from None
    arrays = load(config.data, machine)
    if arrays.hash != audited.trial["data_hash"]:
        raise NoAudit(
            f"the data `{config.data.name}` have changed since {folder.path} was trained on them"
        )
    return Data(arrays)


def listed(audited: Audited, data: Data) -> pd.DataFrame:
    """The ranking with names for people, the most surely wrong label first.

    Columns: file or index, given, suggested, wrong, confidence, trials, and true where it is known.
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
    """Corrected labels, and how many were changed.

    A label becomes the suggested one where that is right with at least the probability
    `confidence`. The table has a label for every sample of the training split, as
    `noise: {name: file}` reads it.
    """
    ranked = audited.ranked
    sure = ranked[(ranked["suggested"] != ranked["given"]) & (ranked["confidence"] >= confidence)]
    labels = audited.given.copy()
    labels[sure["index"]] = sure["suggested"].to_numpy()
    table = pd.DataFrame({data.key: data.keys(labels.index), "label": data.classes(labels)})
    return table, len(sure)
