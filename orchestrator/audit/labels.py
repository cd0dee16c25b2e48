"""What an audit says in the names of the data set: files and classes instead of numbers, and corrected labels."""

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
        return (
            rows.tolist()
            if names is None
            else [names[row].decode(errors="backslashreplace") for row in rows]
        )

    def classes(self, labels: pd.Series) -> list[str | int]:
        """Names of classes, or their numbers."""
        names = self.arrays.class_names
        return labels.tolist() if not names else [names[label] for label in labels]


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
    """The ranking with names for people: file or index, given, suggested, wrong, confidence, trials, and true where it
    is known. The most surely wrong label first."""
    ranked = audited.ranked
    table = pd.DataFrame({data.key: data.keys(ranked["index"])})
    for name in ("given", "suggested"):
        table[name] = data.classes(ranked[name])
    table["wrong"], table["confidence"] = ranked["wrong"].round(4), ranked["confidence"].round(4)
    table["trials"] = ranked["trials"]
    return table.assign(true=data.classes(ranked["true"])) if known(ranked) else table


def corrected(audited: Audited, data: Data, confidence: float) -> tuple[pd.DataFrame, int]:
    """(a label for every sample of the training split, to be read by `noise: {name: file}`; how many were changed).

    A label becomes the suggested one where that is right with at least `confidence`.
    """
    ranked = audited.ranked
    sure = ranked[(ranked["suggested"] != ranked["given"]) & (ranked["confidence"] >= confidence)]
    labels = audited.given.copy()
    labels[sure["index"]] = sure["suggested"].to_numpy()
    return pd.DataFrame({data.key: data.keys(labels.index), "label": data.classes(labels)}), len(
        sure
    )
