"""The networks of a completed trial, to predict images with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn

from trainable.config.custom_code import Own
from trainable.config.embeddings import Embeddings
from trainable.config.runtime import Machine
from trainable.config.trial import CodeInResults, TrialConfig, stored_config, stored_model
from trainable.data import registry
from trainable.data.arrays import Arrays
from trainable.data.feature_scale import FeatureScale
from trainable.data.preprocessing import Preprocessing
from trainable.engine.learner import autocast
from trainable.engine.model_file import Averages, Description, class_names, read_model
from trainable.errors import DataError
from trainable.methods.base import Method
from trainable.methods.dividemix import DivideMix
from trainable.models.build import build
from trainable.storage import names
from trainable.storage.checksums import Damaged
from trainable.storage.result import check_weights, read_result
from trainable.storage.trial_folder import TrialFolder
from trainable.trial.device import choose_device
from trainable.trial.lineage import why_unfinished


@dataclass(frozen=True)
class TrainedModel:
    """The networks of a trial with all that is needed to use them.

    Attributes:
        networks: one or two networks in eval mode, on the device.
        class_names: names of the classes, in their order; numbers where the data set has no names.
        preprocessing: how an image becomes the networks' input: sizes, channels, mean and
            standard deviation; of embeddings, how a feature vector does.
        averages: outputs of the networks that are averaged, as when the trial was tested.
        precision: `train.precision` of the trial.
        device: where the networks are.
    """

    networks: tuple[nn.Module, ...]
    class_names: tuple[str, ...]
    preprocessing: Preprocessing | FeatureScale
    averages: Averages
    precision: str
    device: torch.device

    @property
    def input_shape(self) -> tuple[int, ...]:
        """(channels, height, width) of the networks' input, or (features,)."""
        return self.preprocessing.input_shape

    def predict_probabilities(self, images: np.ndarray | Sequence[Path | str]) -> np.ndarray:
        """Return the probability of each class, (n, classes) float64.

        The most probable class is the one that counts in the trial's `test/accuracy`. With
        `averages: logits` (the authors' code), probabilities are the softmax of the networks' mean
        logits; else they are the mean of the networks' softmax.

        Args:
            images: uint8 (n, height, width[, 1 or 3]), or files. They are scaled and converted as
                in training. For networks of embeddings: feature vectors (n, features).

        Raises:
            DataError: an image is not valid, or has another size and is not scaled.
        """
        parts = [self.probabilities_of(batch) for batch in self._read(images)]
        return np.concatenate([np.empty((0, len(self.class_names))), *parts])

    def _read(self, images: np.ndarray | Sequence[Path | str]) -> Iterator[np.ndarray]:
        """Yield batches of images as training reads them."""
        sources: Sequence[np.ndarray | Path]
        if isinstance(images, np.ndarray) and isinstance(self.preprocessing, FeatureScale):
            sources = list(images)
        elif isinstance(images, np.ndarray):
            sources = list(pixels(images))
        else:
            sources = [Path(image) for image in images]
        size = self.preprocessing.most_at_once(self.device)
        for start in range(0, len(sources), size):
            yield np.stack([self.read(each) for each in sources[start : start + size]])

    def read(self, source: np.ndarray | Path) -> np.ndarray:
        """Return an image, or a feature vector, as training reads it.

        Raises:
            DataError: it is not valid, or is none of what the networks were trained on.
        """
        if isinstance(self.preprocessing, Preprocessing):
            if isinstance(source, np.ndarray) and source.ndim != 3:
                raise DataError("the networks were trained on images, and these are embeddings")
            return self.preprocessing.read(source)
        if isinstance(source, Path) or source.ndim != 1:
            shown = f"{source} is" if isinstance(source, Path) else "these are"
            raise DataError(
                f"{shown} no embeddings, on which the networks were trained: name an .npz file "
                "with the array features, or a .npy file"
            )
        return self.preprocessing.read(source)

    def probabilities_of(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities (batch, classes) of images from `preprocessing.read`."""
        inputs = self.preprocessing.input(images, self.device)
        with torch.inference_mode(), autocast(self.precision, self.device):
            # Near-equal logits would have equal probabilities in single precision.
            logits = torch.stack([network(inputs).double() for network in self.networks])
            if self.averages == "probabilities":
                probabilities = logits.softmax(2).mean(0)
            else:
                probabilities = logits.mean(0).softmax(1)
        found: np.ndarray = probabilities.cpu().numpy()
        return found


def pixels(images: np.ndarray) -> np.ndarray:
    """Return images in memory with a dimension of channels, (n, height, width, 1 or 3).

    Raises:
        DataError: they are no such images.
    """
    found = images[..., None] if images.ndim == 3 else images
    if found.ndim != 4 or found.dtype != np.uint8 or found.shape[-1] not in (1, 3):
        raise DataError(
            f"the images are {images.dtype} {images.shape}; expected uint8 (n, height, width) or "
            "(…, 1 or 3)"
        )
    return found


def describe(config: TrialConfig, arrays: Arrays) -> Description:
    """Return what is needed to use the networks of a trial on this data set."""
    preprocessing: Preprocessing | FeatureScale
    if isinstance(config.data, Embeddings):
        preprocessing = FeatureScale.of(config.data, arrays)
    else:
        preprocessing = Preprocessing.of(config.data, arrays)
    return Description(
        model=config.model.model_dump(mode="json"),
        class_names=class_names(arrays.class_names, arrays.classes),
        preprocessing=preprocessing,
        averages=_averages(config),
        precision=config.train.precision,
    )


def _averages(config: TrialConfig) -> Averages:
    """Return which outputs of the networks are averaged when a trial is tested."""
    method = config.method
    if isinstance(method, Own):
        assert issubclass(method.implementation, Method)
        if method.implementation.combined not in (Method.combined, DivideMix.combined):
            return "own"
    return method.averages


def load_model(
    path: Path | str, machine: Machine | None = None, own_code: bool = False
) -> TrainedModel:
    """Load the networks of a completed trial after its last epoch.

    Args:
        path: the trial's folder, `RUN_DIR/runs/[SETTING/]ARM/seed=N`; or a file such as its
            `best.pt`, the weights of the best validation epoch.
        machine: settings of the machine: the device, and the folders of data sets, which only
            weights of earlier versions need. None: the defaults.
        own_code: whether the code of an own model, which is in the results, may be executed.

    Raises:
        DataError: there are no such networks, or something that they need is missing; the message
            says what.
    """
    machine = machine or Machine()
    path = Path(path)
    file = path
    if path.suffix != ".pt":
        file = path / names.MODEL
        _check_trial(path, file)
    states, description = read_model(file)
    try:
        if description is None:
            description = _described_by_folder(file, machine, own_code)
        model = stored_model(description.model, own_code)
    except CodeInResults:
        raise DataError(
            f"{file.parent} holds the code of an own method or model: read it, then add --own-code "
            "(load_model: own_code=True)"
        ) from None
    except ValueError:  # a ValidationError of pydantic
        raise DataError(
            f"{file} was written by another version, with fields that this one does not know"
        ) from None
    if description.averages == "own":
        raise DataError(
            f"{file}: the method combines its networks by a rule of its own (`combined`), which "
            "only its trials know"
        )
    device = choose_device(machine.device)
    networks = []
    for state in states:
        network = build(
            model, description.preprocessing.input_shape, len(description.class_names), seed=0
        )
        try:
            network.load_state_dict(dict(state))
        except RuntimeError:
            raise DataError(f"{file} has weights that do not fit {model.name}") from None
        networks.append(network.eval().to(device).to(memory_format=torch.channels_last))
    return TrainedModel(
        networks=tuple(networks),
        class_names=description.class_names,
        preprocessing=description.preprocessing,
        averages=description.averages,
        precision=description.precision,
        device=device,
    )


def _check_trial(folder: Path, file: Path) -> None:
    """Raise DataError if a folder has no completed trial with weights."""
    try:
        if not folder.is_dir() or read_result(folder) is None:
            raise DataError(f"{folder} contains no completed trial{why_unfinished(folder)}")
        check_weights(folder)
    except Damaged as error:
        raise DataError(f"{folder} is damaged: {error}. Train it again") from None
    if not file.exists():
        raise DataError(
            f"{file} does not exist. `run` keeps it for every completed trial, and `bundle` leaves "
            "it out: use the folder in which the study was run, or run the study again"
        )


def _described_by_folder(file: Path, machine: Machine, own_code: bool) -> Description:
    """Describe weights of an earlier version by the trial's folder and its data set.

    Raises:
        DataError: the folder has no configuration, or its data set is missing or has changed.
        CodeInResults, ValidationError: as `stored_config` does.
    """
    old = f"{file} was written by an earlier version, without class names and normalisation"
    folder = TrialFolder(file.parent)
    content = (folder.trial or {}).get("config")
    if content is None:
        raise DataError(f"{old}, and there is no readable {names.TRIAL} next to it")
    config = stored_config(content, own_code)
    try:
        arrays = registry.load(config.data, machine)
        now = arrays.hash
    except DataError as error:
        raise DataError(f"{old}, and its data set cannot be read: {error}") from None
    if (folder.summary or {}).get("data_hash", now) != now:
        raise DataError(f"{old}, and its data set {config.data.name} has changed since")
    return describe(config, arrays)
