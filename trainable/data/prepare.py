"""From a data set as it is read to that of a trial: noisy labels, splits, images on the device."""

import dataclasses
import math
import os
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F

from trainable.config.data import (
    Clothing1M,
    CorruptedNoise,
    ImageData,
    InstanceNoise,
    Noise,
    Photos,
)
from trainable.config.data_fields import DataFields
from trainable.config.embeddings import Embeddings
from trainable.config.runtime import Machine
from trainable.data.arrays import Arrays, Split
from trainable.data.contents import Contents
from trainable.data.dataset import Dataset
from trainable.data.decoded_cache import decoded, digests
from trainable.data.feature_samples import FeatureSamples
from trainable.data.feature_scale import FeatureScale
from trainable.data.features import Features
from trainable.data.held_out import contents_of
from trainable.data.images import Files
from trainable.data.noise import transition
from trainable.data.samples import Samples
from trainable.data.splits import Part, divide
from trainable.data.streaming import Stream, Streamed
from trainable.errors import DataError
from trainable.random_streams import Streams

TRANSITION_CLASSES = 100
"""Most classes of a transition matrix: a summary with that of 3,000 classes has 45 MB."""


@dataclass(frozen=True)
class _Loaded:
    """The splits of a data set, ready for samples to be made of them.

    Attributes:
        splits: name → split; images of files are decoded, unless they are streamed.
        stream: what decodes images when they are needed; None: all images are in memory.
        streamed: the names of the splits of the stream, in its order.
        contents: digests of the files of images; None: there are no such files.
        features: (all rows, bytes) embeddings of all splits: the memory map itself on a CPU, one
            copy on a GPU; None: these are images.
    """

    splits: dict[str, Split]
    stream: Stream | None = None
    streamed: tuple[str, ...] = ()
    contents: Contents | None = None
    features: torch.Tensor | None = None


def prepare(
    arrays: Arrays,
    data: DataFields,
    noise: Noise,
    streams: Streams,
    device: torch.device,
    machine: Machine | None = None,
) -> Dataset:
    """Add label noise, split off the validation set, and load images to the device or stream them.

    Args:
        arrays: the data set as it is read.
        data: fields of the data set.
        noise: the noise model.
        streams: random streams of the trial.
        device: device of labels and resident images.
        machine: settings of the machine; None: the defaults.

    Raises:
        DataError: the noise does not fit the data, or an image is not valid.
    """
    machine = machine or Machine()
    # Both are of the images as they are read, before files are decoded.
    data_hash = arrays.hash
    equal = _contents(arrays.train, machine) if data.folds is not None else None

    loaded = _load(arrays, noise, device, machine)
    splits = loaded.splits
    arrays = dataclasses.replace(
        arrays,
        train=splits["train"],
        validation=splits.get("validation"),
        test=splits["test"],
    )
    _check_crop(data, arrays.train)
    divided = divide(arrays, data, noise, streams, machine.study_dir, equal)

    samples = partial(_samples, loaded=loaded, data=data, arrays=arrays, device=device)
    train = divided.train
    validation = None
    if divided.validation is not None:
        own = divided.validation.split is splits.get("validation")
        validation = samples("validation" if own else "train", divided.validation)
    noise_rate, noise_transition = _noise_statistics(train, arrays.classes)
    return Dataset(
        train=samples("train", train, padding=_padding(data)),
        validation=validation,
        test=samples("test", _every(splits["test"])),
        classes=arrays.classes,
        data_hash=data_hash,
        noise_hash=divided.hash,
        noise_rate=noise_rate,
        noise_transition=noise_transition,
        more_tests={name: samples(name, _every(splits[name])) for name in arrays.more_tests},
        epoch_batches=data.epoch_batches if isinstance(data, Clothing1M) else None,
        ratings=None if train.ratings is None else train.ratings.only(train.rows),
        contents=loaded.contents,
        class_names=arrays.class_names,
    )


def _load(arrays: Arrays, noise: Noise, device: torch.device, machine: Machine) -> _Loaded:
    """Decode the files of images, or make a stream of them.

    Raises:
        DataError: the noise needs images that would be streamed, or a file is not a valid image.
    """
    splits = {"train": arrays.train}
    if arrays.validation is not None:
        splits["validation"] = arrays.validation
    splits |= {"test": arrays.test, **arrays.more_tests}
    if isinstance(arrays.train.images, Features):
        return _Loaded(splits, features=torch.from_numpy(arrays.train.images.raw).to(device))

    files = {
        name: split.images for name, split in splits.items() if isinstance(split.images, Files)
    }
    if not files:
        return _Loaded(splits)
    if resident(list(files.values()), machine.resident, device):
        return _decode(splits, files, machine)
    if isinstance(noise, InstanceNoise | CorruptedNoise):
        raise DataError(
            f"noise.name: {noise.name} needs all images in memory, and these are streamed. Set "
            "run.resident: true"
        )
    stream = Stream(list(files.values()), machine.threads, device)
    return _Loaded(splits, stream=stream, streamed=tuple(files), contents=stream.contents)


def _decode(splits: dict[str, Split], files: dict[str, Files], machine: Machine) -> _Loaded:
    """Decode `files`, name of a split → its images, into memory."""
    in_memory = dict(splits)
    for name, images in files.items():
        pixels = decoded(images, machine.shared_dir, machine.threads)
        in_memory[name] = dataclasses.replace(splits[name], images=pixels)
    contents = Contents([len(images) for images in files.values()])
    for part, images in enumerate(files.values()):
        contents.add(part, np.arange(len(images)), digests(images, machine.shared_dir))
    return _Loaded(in_memory, contents=contents)


def _check_crop(data: DataFields, train: Split) -> None:
    """Check that images are as large as their crop: they are not padded for division and tests.

    Raises:
        DataError: they are smaller.
    """
    if not isinstance(data, Photos) or data.crop is None:
        return
    assert not isinstance(train.images, Features)
    height, width = train.images.shape[-3:-1]
    if data.crop > min(height, width):
        raise DataError(f"data.crop: {data.crop} exceeds the images' size, {height}×{width} pixels")


def _padding(data: DataFields) -> int:
    """Return the zeros on each side of training images, pixels."""
    if not isinstance(data, ImageData) or (isinstance(data, Photos) and data.resized_crop):
        return 0
    return data.crop_padding


def _every(split: Split) -> Part:
    """Return all samples of a test set with their true labels."""
    return Part(split, np.arange(len(split)), split.labels)


def _noise_statistics(train: Part, classes: int) -> tuple[float | None, np.ndarray | None]:
    """Return noise rate and transition matrix (classes, classes); None: see `Dataset`."""
    true = train.split.labels[train.rows]
    if (true < 0).any():
        return None, None
    rate = float(train.wrong.mean())
    if classes > TRANSITION_CLASSES:
        return rate, None
    return rate, transition(true, train.given[train.rows], classes)


def _samples(
    name: str,
    part: Part,
    loaded: _Loaded,
    data: DataFields,
    arrays: Arrays,
    device: torch.device,
    padding: int = 0,
) -> Samples:
    """Return samples of the split `name`; training images have `padding` zeros on each side."""
    if loaded.features is not None:
        return _feature_samples(part, loaded.features, data, arrays)
    images: torch.Tensor | Streamed
    if loaded.stream is not None and name in loaded.streamed:
        images = Streamed(loaded.stream, loaded.streamed.index(name), part.rows, padding)
    else:
        pixels = torch.from_numpy(part.images())
        images = F.pad(pixels, (0, 0, padding, padding, padding, padding)).to(device)
    return Samples(
        images=images,
        given=torch.from_numpy(part.given[part.rows]).to(device),
        true=torch.from_numpy(part.split.labels[part.rows]).to(device),
        source_index=part.rows,
        mean=torch.tensor(arrays.mean, device=device),
        std=torch.tensor(arrays.std, device=device),
        augmentation=data,
        padding=padding,
        side=data.crop if isinstance(data, Photos) else None,
    )


def _feature_samples(
    part: Part, mapped: torch.Tensor, data: DataFields, arrays: Arrays
) -> FeatureSamples:
    """Return samples of embeddings, whose features (all rows, bytes) are `mapped`."""
    features = part.split.images
    assert isinstance(features, Features)
    assert isinstance(data, Embeddings)
    device = mapped.device
    scale = FeatureScale.of(data, arrays)
    return FeatureSamples(
        images=mapped,
        given=torch.from_numpy(part.given[part.rows]).to(device),
        true=torch.from_numpy(part.split.labels[part.rows]).to(device),
        source_index=part.rows,
        mean=torch.tensor(scale.mean, device=device),
        std=torch.tensor(scale.std, device=device),
        augmentation=data,
        rows=torch.from_numpy(features.rows[part.rows]).to(device),
        dtype=torch.float16 if features.dtype == np.float16 else torch.float32,
        scale=scale,
    )


def _contents(split: Split, machine: Machine) -> np.ndarray:
    """Return numbers (n,) that are equal where images are; of files, where their bytes are equal.

    They do not depend on whether the images are resident or streamed.
    """
    if isinstance(split.images, Files):
        return digests(split.images, machine.shared_dir)
    if isinstance(split.images, Features):
        return split.images.contents
    return contents_of(split.images)


def resident(files: list[Files], wish: bool | Literal["auto"], device: torch.device) -> bool:
    """Return whether all images are decoded into memory at once.

    auto: they are if they need at most a quarter of the device's memory.
    """
    if wish != "auto":
        return wish
    needed = sum(len(images) * math.prod(images.shape) for images in files)
    if device.type == "cuda":
        memory = torch.cuda.mem_get_info(device)[1]
    else:
        memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return needed <= memory / 4
