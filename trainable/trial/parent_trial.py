"""The completed trial that another trial uses (`from_arm`): its weights and clean probabilities."""

import io
import zipfile
from pathlib import Path

import numpy as np

from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.data.samples import Samples
from trainable.errors import DataError
from trainable.storage import names
from trainable.storage.checksums import Damaged
from trainable.storage.result import check_weights, read_result
from trainable.storage.trial_folder import TrialFolder


class Source:
    """Results of a completed trial.

    Raises:
        DataError: the folder is not given, or it does not contain that completed trial.
    """

    def __init__(self, config: TrialConfig, machine: Machine):
        if machine.source_dir is None:
            raise DataError(
                f"from_arm: {config.from_arm} – the folder of this trial is not given. Pass it to "
                "python -m trainable with --source DIR"
            )
        self._folder = TrialFolder(machine.source_dir)
        found = (self._folder.trial or {}).get("id")
        try:
            summary = read_result(machine.source_dir)
        except Damaged as error:
            raise DataError(f"{machine.source_dir} is damaged: {error}. Train it again") from None
        if found != config.from_arm or summary is None:
            raise DataError(
                f"from_arm: {config.from_arm} – {machine.source_dir} does not contain this trial "
                "as a completed one. Run that trial first, or pass another --source folder"
            )

    @property
    def weights(self) -> Path:
        """File with the final weights of its networks.

        Raises:
            DataError: it is damaged.
        """
        try:
            check_weights(self._folder.path)
        except Damaged as error:
            raise DataError(f"{self._folder.path} is damaged: {error}. Train it again") from None
        return self._folder.path / names.MODEL

    def clean_probability(self, train: Samples) -> np.ndarray:
        """Return the final clean probability of each sample of `train`, (n,).

        It is the mean over the networks; NaN: the trial did not judge the sample.

        Raises:
            DataError: the sample table is missing, damaged, without clean probabilities, or has
                other samples or given labels than `train`.
        """
        path = self._folder.path / names.SAMPLES
        try:
            with np.load(io.BytesIO(path.read_bytes())) as file:
                table = dict(file)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile):
            raise DataError(f"{path} cannot be read") from None
        if not len(table.get("clean_probability", ())):
            raise DataError(
                f"{path} has no clean probabilities: the method of that trial does not divide the "
                "samples. Name an arm that does in from_arm"
            )
        trained = table["split"] == 0
        for name, expected in (
            ("source_index", train.source_index),
            ("given", train.given.cpu().numpy()),
        ):
            if not np.array_equal(table[name][trained], expected):
                raise DataError(
                    f"{path}: {name} differs from the training samples of this trial. Both trials "
                    "need the same data, noise and seed"
                )
        last: np.ndarray = table["clean_probability"][-1]
        mean: np.ndarray = last.astype(float).mean(0)
        return mean
