"""A trial: data, networks and method of a `TrialConfig`, as an iterator of rows with a state."""

import dataclasses
import hashlib
import io
import time
from typing import Any

import numpy as np
import torch

from trainable.config.custom_code import Own
from trainable.config.initialization import Start
from trainable.config.methods import Retrain as RetrainConfig
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.data import registry
from trainable.data.noise import nominal_transition
from trainable.data.prepare import prepare
from trainable.engine.learner import Learner
from trainable.engine.model_file import packed
from trainable.engine.pretrained import load_pretrained
from trainable.errors import DataError
from trainable.methods.base import Method, Row
from trainable.methods.co_teaching import CoTeaching
from trainable.methods.co_teaching_plus import CoTeachingPlus
from trainable.methods.cross_entropy import CrossEntropy
from trainable.methods.dividemix import DivideMix
from trainable.methods.elr import Elr
from trainable.methods.elr_plus import ElrPlus
from trainable.methods.jocor import Jocor
from trainable.methods.mixmatch import MixMatch
from trainable.methods.mixup import MixUp
from trainable.methods.retrain import Retrain
from trainable.methods.ssr_plus import SsrPlus
from trainable.models.build import build
from trainable.noisy_labels.lost_classes import lost_classes
from trainable.noisy_labels.prediction_changes import label_wave_epoch
from trainable.random_streams import Streams
from trainable.storage import names
from trainable.storage.checksums import content_checksum
from trainable.trial.device import choose_device
from trainable.trial.parent_trial import Source
from trainable.trial.trained_model import describe

OUTSIDE_TENSORS = 0.1
"""Share of a shared GPU's memory that is reserved for CUDA's context and libraries."""
MOST_GRAPHS = 64
"""Limit of compiled variants of a step in one trial: two networks, with and without gradient, in
both modes, at several batch sizes."""
TRAINED_ON = "trained_on"
"""Key of a state with the hashes of the data and of the given labels."""
ROWS = "rows_checksum"
"""Key of a state with the checksum of the rows up to its epoch."""
HALF_MAX = float(np.finfo(np.float16).max)

METHODS: dict[str, type[Method]] = {
    "dividemix": DivideMix,
    "cross_entropy": CrossEntropy,
    "mixup": MixUp,
    "co_teaching": CoTeaching,
    "co_teaching_plus": CoTeachingPlus,
    "jocor": Jocor,
    "elr": Elr,
    "elr_plus": ElrPlus,
    "mixmatch": MixMatch,
    "ssr_plus": SsrPlus,
    "retrain": Retrain,
}


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
        if self.data.epoch_batches and config.method.losses_averaged > 1:
            raise DataError(
                f"method.loss_history: {config.method.losses_averaged} needs the same samples in "
                f"every epoch, and {config.data.name} draws new ones. Use 1"
            )
        if self.data.epoch_batches and config.method.needs_agreement:
            raise DataError(
                "method.agreement needs the same samples for both networks, and "
                f"{config.data.name} draws different ones. Use none"
            )
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
        method = (
            config.method.implementation
            if isinstance(config.method, Own)
            else METHODS[config.method.name]
        )
        self.method: Method = method(config, self.data, learners, streams)
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
        """Return the per-sample table as .npz.

        Arrays:
            source_index, split, given, true: (training and validation samples,), in this order;
                `split` is 0 for training and 1 for validation samples.
            epochs: (epochs,), the recorded epochs.
            loss, clean_probability: (epochs, networks, training samples).
            ensemble_class, ensemble_probability: (epochs, training samples).
            label_margin, label_probability: (epochs, networks, training samples), means over all
                epochs before; NaN: never seen.
            validation_loss, validation_class, validation_probability: the same of the validation
                samples, which are not trained on.
            test_source_index, test_label: (test samples,); test_loss, test_class,
                test_probability: as above.
            test_classes: (last epochs, test samples), the ensemble's class after each of the last
                ten epochs.
        """
        train = self.data.train
        validation = self.data.validation
        parts = [train] + ([validation] if validation else [])
        table: dict[str, np.ndarray] = {
            "source_index": np.concatenate([p.source_index for p in parts]),
            "split": np.concatenate([np.full(len(p), k, np.int8) for k, p in enumerate(parts)]),
            "given": np.concatenate([p.given.cpu().numpy() for p in parts]),
            "true": np.concatenate([p.true.cpu().numpy() for p in parts]),
            "epochs": np.array(sorted(self.method.records), np.int64),
            "test_source_index": self.data.test.source_index,
            "test_label": self.data.test.given.cpu().numpy(),
            "test_classes": self._test_classes(),
        }
        for name in next(iter(self.method.records.values()), {}):
            stacked = np.stack(
                [self.method.records[epoch][name] for epoch in sorted(self.method.records)]
            )
            whole = name.endswith("class")
            table[name] = (
                stacked.astype(np.int16)
                if whole
                else np.clip(stacked, -HALF_MAX, HALF_MAX).astype(np.float16)
            )
        buffer = io.BytesIO()
        np.savez_compressed(buffer, allow_pickle=False, **table)
        return buffer.getvalue()

    def _test_classes(self) -> np.ndarray:
        """Return the ensemble's test predictions after each of the last epochs, (epochs, m)."""
        found = [each.cpu().numpy() for each in self.method.test_classes]
        return np.array(found, np.int16).reshape(len(found), len(self.data.test))

    def summary(self) -> dict[str, Any]:
        """Return the summary: final metrics, seconds, work and hashes (see `storage.names`)."""
        test = [row[names.TEST_ACCURACY] for row in self.rows]
        last = self.rows[-1]
        result: dict[str, Any] = {
            "epochs": len(self.rows),
            names.TEST_ACCURACY: test[-1],
            names.LAST10: float(np.mean(test[-10:])),
            names.LAST10_SD: float(np.std(test[-10:], ddof=1)) if len(test) > 1 else 0.0,
            names.BEST_ACCURACY: max(test),
        }
        first = names.NETWORK_ACCURACY.format(k=0)
        if alone := [row[first] for row in self.rows if first in row]:
            result[names.NETWORK_LAST10.format(k=0)] = float(np.mean(alone[-10:]))
        validation = [
            row[names.VALIDATION_ACCURACY] for row in self.rows if names.VALIDATION_ACCURACY in row
        ]
        if validation:
            chosen = validation.index(max(validation))
            result |= {names.SELECTED_ACCURACY: test[chosen], "selected_epoch": chosen + 1}
        wave = label_wave_epoch(self.rows)
        if wave is not None:
            result |= {names.LABEL_WAVE_ACCURACY: test[wave - 1], "label_wave_epoch": wave}
        of_networks = names.NETWORK_ACCURACY.format(k="")
        kept = (
            "division/",
            "train/",
            "val/",
            "guess/",
            of_networks,
            names.TEST_TOP5,
            *self.data.more_tests,
        )
        result |= {name: last[name] for name in last if name.startswith(kept)}
        for name in sorted(
            {name for row in self.rows for name in row if name.startswith(("time/", "work/"))}
        ):
            result[name] = sum(row.get(name, 0) for row in self.rows)
        result |= self._failures(result[names.LAST10], result[names.BEST_ACCURACY])
        if self.data.noise_transition is not None:
            result["noise_transition"] = np.round(self.data.noise_transition, 4).tolist()
        result |= self._annotators()
        if self.data.content_hash:
            result["content_hash"] = self.data.content_hash
        if self.data_notes:
            result["data_notes"] = self.data_notes
        if self.skipped_images:
            result["skipped_images"] = self.skipped_images
        if self.test_labels == "unchecked":
            result["test_labels"] = self.test_labels
        return result | {
            "noise_rate": self.data.noise_rate,
            "noise_rate_nominal": getattr(self.config.noise, "rate", None),
            "data_hash": self.data.data_hash,
            "noise_hash": self.data.noise_hash,
            "weight_hashes": self.weight_hashes,
            "finished": time.time(),
        }

    def _annotators(self) -> dict[str, Any]:
        """Return how often annotators agree and are wrong; nothing without annotators."""
        ratings = self.data.ratings
        if ratings is None:
            return {}
        found: dict[str, Any] = {"annotator_agreement": ratings.agreement}
        if self.data.noise_rate is not None:
            found["annotator_wrong"] = ratings.wrong(self.data.train.true.cpu().numpy())
        return found

    def _failures(self, last: float, best: float) -> dict[str, Any]:
        """Return whether the run has collapsed, and the classes that the ensemble has lost.

        Args:
            last: mean test accuracy of the last ten epochs, percent.
            best: best test accuracy of any epoch, percent.
        """
        classes = self.data.classes
        found: dict[str, Any] = {"collapsed": last < (best + 100 / classes) / 2 < best}
        record = self.method.records.get(self.config.train.epochs, {})
        if "ensemble_class" in record:
            found["lost_classes"] = lost_classes(
                record["ensemble_class"],
                self.data.train.given.cpu().numpy(),
                nominal_transition(self.config.noise, classes),
                classes,
            )
        return found


def count_gpus() -> int:
    """Return how many GPUs torch can use."""
    return torch.cuda.device_count()


def limit_memory(device: torch.device, share: float) -> None:
    """Limit this process to its share (0 to 1) of a GPU's memory.

    A process that needs more then fails itself, instead of other processes on the GPU.
    """
    if device.type == "cuda":
        # The function rejects a device without a number; None is the current device.
        torch.cuda.set_per_process_memory_fraction(
            share * (1 - OUTSIDE_TENSORS) if share < 1 else 1.0, device.index
        )


def compile_afresh() -> None:
    """Discard what earlier trials of this process compiled.

    It counts towards torch's limit, and steps beyond the limit run eagerly. Compilation changes
    rounding, so it must not depend on earlier trials.
    """
    torch.compiler.reset()
    torch._dynamo.config.recompile_limit = MOST_GRAPHS


def _saved(content: Any) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer)
    return buffer.getvalue()


def _weight_hash(network: torch.nn.Module) -> str:
    digest = hashlib.sha256()
    for tensor in network.state_dict().values():
        digest.update(tensor.cpu().contiguous().numpy().data)
    return digest.hexdigest()[:16]
