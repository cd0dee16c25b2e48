"""A trial: data, networks and method of a `TrialConfig`, as an iterator of rows with a state."""

import dataclasses
import hashlib
import io
import time
from typing import Any

import torch

from trainable.config.initialization import Start
from trainable.config.methods import Retrain as RetrainConfig
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.data import registry
from trainable.data.dataset import Dataset
from trainable.data.prepare import prepare
from trainable.engine.learner import Learner
from trainable.engine.model_file import packed
from trainable.engine.pretrained import load_pretrained
from trainable.errors import DataError
from trainable.methods.base import Method, Row
from trainable.methods.registry import method_of
from trainable.models.build import build
from trainable.random_streams import Streams
from trainable.storage import names
from trainable.storage.checksums import content_checksum
from trainable.trial.device import choose_device, compile_afresh, limit_memory
from trainable.trial.parent_trial import Source
from trainable.trial.samples_table import samples_table
from trainable.trial.summary import summarised
from trainable.trial.trained_model import describe

TRAINED_ON = "trained_on"
"""Key of a state with the hashes of the data and of the given labels."""
ROWS = "rows_checksum"
"""Key of a state with the checksum of the rows up to its epoch."""


class OtherState(Exception):
    """A state is of other data than the trial has now, or of other rows than are on disk."""


class Trial:
    """One training run: `next` trains an epoch and returns its row, for `train.epochs` rows.

    Attributes:
        notes: messages about files that are not read and about the initial weights, for the log.
        test_labels: whether the labels of the test set are `trusted` or `unchecked`.

    Raises:
        DataError: the data is missing or wrong (raised while the trial is built).
        NonFiniteLoss: training diverged (raised by `next`).
    """

    def __init__(self, config: TrialConfig, machine: Machine):
        self.config = config
        self.device = choose_device(machine.device)
        torch.set_num_threads(machine.threads)
        limit_memory(self.device, machine.gpu_share)
        if machine.compile and self.device.type == "cuda":
            compile_afresh()
        streams = Streams(config.seed)
        try:
            arrays = registry.load(config.data, machine)
            self.data = prepare(arrays, config.data, config.noise, streams, self.device, machine)
        except (PermissionError, NotADirectoryError) as error:
            raise DataError(f"{error.filename} cannot be read: {error.strerror}") from None
        source = Source(config, machine) if config.from_arm is not None else None
        if source and isinstance(config.method, RetrainConfig):
            self.data = dataclasses.replace(
                self.data, judged=source.clean_probability(self.data.train)
            )
        _check_epoch_batches(config, self.data)
        networks = [
            build(config.model, self.data.shape, self.data.classes, streams.number(f"init{k}"))
            for k in range(config.method.networks)
        ]
        self._description = describe(config, arrays)
        self.data_notes = list(arrays.notes)
        self.skipped_images = arrays.skipped_images
        self.test_labels = arrays.test_labels
        self.notes = [*arrays.notes, *self._pretrained(networks, machine, source)]
        self.weight_hashes = [_weight_hash(network) for network in networks]
        learners = [
            Learner(network, config.train, self.device, machine.compile) for network in networks
        ]
        self.method: Method = method_of(config)(config, self.data, learners, streams)
        self.rows: list[Row] = []

    def _pretrained(
        self, networks: list[torch.nn.Module], machine: Machine, source: Source | None
    ) -> list[str]:
        """Load initial weights if the method has any; return notes about ignored layers."""
        start = self.config.method
        if source and isinstance(start, Start) and start.init == "from_arm":
            return load_pretrained(networks, source.weights)
        if not (
            isinstance(start, Start)
            and start.init == "pretrained"
            and start.weights
            and start.weights_hash
        ):
            return []
        return load_pretrained(networks, machine.study_dir / start.weights, start.weights_hash)

    def __iter__(self) -> "Trial":
        return self

    def __next__(self) -> Row:
        row = next(self.method)
        self.rows.append(row)
        return row

    @property
    def epoch(self) -> int:
        """Number of completed epochs."""
        return self.method.epoch

    @property
    def _trained_on(self) -> dict[str, str | None]:
        """Hashes of what is trained on: images with their true labels, and given labels.

        That of the files of images is None until all of them have been read.
        """
        return {
            "data": self.data.data_hash,
            "images": self.data.content_hash,
            "given labels": self.data.noise_hash,
        }

    def state(self) -> bytes:
        """Return the complete state, on which the next epoch depends, with hashes of the data."""
        about = {TRAINED_ON: self._trained_on, ROWS: content_checksum(self.rows)}
        return _saved({**self.method.state_dict(), **about})

    def restore(self, state: bytes, rows: list[Row]) -> None:
        """Resume after the epoch of `state`, whose `rows` are those on disk, and possibly more.

        Raises:
            OtherState: the state is of other data or given labels, or of other rows. The trial is
                unchanged then. States of earlier versions have no hashes.
        """
        # To the CPU first: loading then copies weights to the networks' device, and per-sample
        # arrays stay on the CPU.
        content = torch.load(io.BytesIO(state), weights_only=True, map_location="cpu")
        before = content.pop(TRAINED_ON, {})
        changed = [
            name
            for name, now in self._trained_on.items()
            if now is not None and before.get(name) not in (None, now)
        ]
        if changed:
            raise OtherState(f"the {' and the '.join(changed)} have changed since it was saved")
        epochs = content["epoch"]
        kept = rows[:epochs]
        if [row["epoch"] for row in kept] != list(range(1, epochs + 1)):
            raise OtherState(f"rows of epochs before {epochs} are missing")
        if content.pop(ROWS, content_checksum(kept)) != content_checksum(kept):
            raise OtherState(f"rows of epochs before {epochs} are damaged")
        self.method.load_state_dict(content)
        self.rows = kept

    def weights(self) -> bytes:
        """Return a file of the tested networks, for `trained_model.load_model`."""
        states = [learner.tested.state_dict() for learner in self.method.learners]
        return packed(states, self._description)

    @property
    def is_best(self) -> bool:
        """Whether the last row has the best validation accuracy so far (the earliest of equals)."""
        scores = [
            row[names.VALIDATION_ACCURACY] for row in self.rows if names.VALIDATION_ACCURACY in row
        ]
        return bool(scores) and scores.index(max(scores)) == len(scores) - 1

    def samples(self) -> bytes:
        """Return the per-sample table as .npz, see `samples_table`."""
        return samples_table(self.data, self.method, len(self.rows))

    def summary(self) -> dict[str, Any]:
        """Return the summary: final metrics, seconds, work and hashes (see `storage.names`)."""
        found = summarised(self.config, self.data, self.method, self.rows)
        if self.data_notes:
            found["data_notes"] = self.data_notes
        if self.skipped_images:
            found["skipped_images"] = self.skipped_images
        if self.test_labels == "unchecked":
            found["test_labels"] = self.test_labels
        return found | {"weight_hashes": self.weight_hashes, "finished": time.time()}


def _check_epoch_batches(config: TrialConfig, data: Dataset) -> None:
    """Refuse what compares an epoch's samples with those of another epoch or network.

    Raises:
        DataError: the data set draws new samples for each epoch and network.
    """
    if not data.epoch_batches:
        return
    if config.method.losses_averaged > 1:
        raise DataError(
            f"method.loss_history: {config.method.losses_averaged} needs the same samples in "
            f"every epoch, and {config.data.name} draws new ones. Use 1"
        )
    if config.method.needs_agreement:
        raise DataError(
            "method.agreement needs the same samples for both networks, and "
            f"{config.data.name} draws different ones. Use none"
        )


def _saved(content: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _weight_hash(network: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for tensor in network.state_dict().values():
        digest.update(tensor.cpu().contiguous().numpy().data)
    return digest.hexdigest()[:16]
