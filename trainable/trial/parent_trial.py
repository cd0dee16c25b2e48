"""The finished trial that another one uses (`from_arm`): its weights, and what it thought of each
sample."""

import io
import zipfile
from pathlib import Path

import numpy as np

from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.data.samples import Samples
from trainable.errors import DataError
from trainable.storage import names
from trainable.storage.trial_folder import TrialFolder


class Source:
    """Reads the results of a finished trial; what is wrong with them is a DataError."""

    def __init__(self, config: TrialConfig, machine: Machine):
        if machine.source_dir is None:
            raise DataError(
                f"this trial uses the trial {config.from_arm}, and the folder of that one is not "
                "given"
            )
        self._folder = TrialFolder(machine.source_dir)
        there = (self._folder.trial or {}).get("id")
        if there != config.from_arm or self._folder.summary is None:
            raise DataError(
                f"{machine.source_dir} does not hold the finished trial {config.from_arm} that "
                "this one uses"
            )

    @property
    def weights(self) -> Path:
        """The file of its networks' last weights."""
        return self._folder.path / names.MODEL

    def clean_probability(self, train: Samples) -> np.ndarray:
        """What it thought of `train` at its end: the mean of its networks (n,); NaN where it did
        not judge a sample."""
        path = self._folder.path / names.SAMPLES
        try:
            with np.load(io.BytesIO(path.read_bytes())) as file:
                table = dict(file)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            raise DataError(f"{path} cannot be read") from None
        if not len(table.get("clean_probability", ())):
            raise DataError(
                f"{path} has no clean probabilities: its method does not divide the samples"
            )
        trained = table["split"] == 0
        for name, mine in (
            ("source_index", train.source_index),
            ("given", train.given.cpu().numpy()),
        ):
            if not np.array_equal(table[name][trained], mine):
                raise DataError(
                    f"{path} is about other training samples or labels than this trial has"
                )
        last: np.ndarray = table["clean_probability"][-1]
        mean: np.ndarray = last.astype(float).mean(0)
        return mean
