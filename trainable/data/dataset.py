"""A trial's data set: noisy labels, splits, and images in memory or streamed."""

import dataclasses
import math
import os
from dataclasses import dataclass, field
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
from trainable.data.decoded_cache import decoded, digests
from trainable.data.feature_samples import FeatureSamples
from trainable.data.feature_scale import FeatureScale
from trainable.data.features import Features
from trainable.data.held_out import contents_of
from trainable.data.images import Files
from trainable.data.noise import transition
from trainable.data.ratings import Ratings
from trainable.data.samples import Samples
from trainable.data.splits import Part, divide
from trainable.data.streaming import Stream, Streamed
from trainable.errors import DataError
from trainable.random_streams import Streams

TRANSITION_CLASSES = 100
"""Most classes of a transition matrix: a summary with that of 3,000 classes has 45 MB."""


@dataclass
class Dataset:
    """Training, validation and test set of a trial, with hashes and noise statistics.

    The validation set has noisy labels by default, and is never used for training.
    """

    train: Samples
    validation: Samples | None
    test: Samples
    classes: int
    data_hash: str
    noise_hash: str
    noise_rate: float | None
    """Share of the training labels that are wrong; None: unknown."""
    noise_transition: np.ndarray | None = None
    """P(given | true) of the training samples, (classes, classes), one row per true class; None:
    true labels are unknown, or there are many classes."""
    more_tests: dict[str, Samples] = field(default_factory=dict)
    """Further test sets, by the prefix of their metrics."""
    judged: np.ndarray | None = None
    """Clean probability (n,) of each training sample by the trial that `from_arm` names; NaN: not
    judged."""
    epoch_batches: int | None = None
    """Number of batches per epoch, a balanced draw for each network; None: an epoch uses all
    samples."""
    ratings: Ratings | None = None
    """Labels of annotators for the training samples; None: there are none."""
    contents: Contents | None = None
    """Digests of the files of images; None: there are no such files."""
    class_names: tuple[str, ...] = ()
    """Names of the classes; (): the data set has none."""

    @property
    def content_hash(self) -> str | None:
        """Hash of all files of images; None: there are none, or not all have been read yet."""
        return self.contents.hash if self.contents else None

    @property
    def shape(self) -> tuple[int, ...]:
        """(channels, height, width) of an image, or (features,) of an embedding."""
        return tuple(self.test.plain(slice(0, 1)).shape[1:])

    def epoch_rows(self, rng: np.random.Generator, batch_size: int) -> np.ndarray | None:
        """Draw the positions (m,) of the training samples of a network's epoch; None: all."""
        if self.epoch_batches is None:
            return None
        return balanced(
            self.train.given.cpu().numpy(), self.classes, self.epoch_batches * batch_size, rng
        )

    def chosen(self, rows: np.ndarray | None) -> Samples:
        """Return the training samples at `rows` (m,), in that order; None: all."""
        return self.train if rows is None else self.train.only(rows)


def balanced(labels: np.ndarray, classes: int, count: int, rng: np.random.Generator) -> np.ndarray:
    """Draw the rows of up to `count` samples, at most ⌈count / classes⌉ per class, in random order.

    As in `clothing_dataset(mode='all')` of the authors' code, samples are shuffled, and each is
    taken while its class is below that limit.
    """
    order = rng.permutation(len(labels))
    by_class = np.argsort(labels[order], kind="stable")
    sizes = np.bincount(labels, minlength=classes)
    turn = np.empty(len(labels), np.int64)
    turn[by_class] = np.arange(len(labels)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    return order[turn < -(-count // classes)][:count]


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
    data_hash = arrays.hash
    equal = _contents(arrays.train, machine) if data.folds is not None else None
    padding = data.crop_padding if isinstance(data, ImageData) else 0
    side = None
    if isinstance(data, Photos):
        side = data.crop
        if data.resized_crop:
            padding = 0
    splits = {
        "train": arrays.train,
        "validation": arrays.validation,
        "test": arrays.test,
        **arrays.more_tests,
    }
    there = {name: split for name, split in splits.items() if split is not None}
    files = {name: split.images for name, split in there.items() if isinstance(split.images, Files)}
    stream = None
    contents = None
    parts = list(files)
    if files and not resident(list(files.values()), machine.resident, device):
        if isinstance(noise, InstanceNoise | CorruptedNoise):
            raise DataError(
                f"noise.name: {noise.name} needs all images in memory, and these are streamed. Set "
                "run.resident: true"
            )
        stream = Stream(list(files.values()), machine.threads, device)
        contents = stream.contents
    else:
        loaded = {
            name: decoded(images, machine.shared_dir, machine.threads)
            for name, images in files.items()
        }
        if files:
            contents = Contents([len(images) for images in files.values()])
            for part, images in enumerate(files.values()):
                contents.add(part, np.arange(len(images)), digests(images, machine.shared_dir))
        there |= {
            name: dataclasses.replace(there[name], images=images) for name, images in loaded.items()
        }
    arrays = dataclasses.replace(
        arrays, train=there["train"], validation=there.get("validation"), test=there["test"]
    )
    if side is not None:
        assert not isinstance(arrays.train.images, Features)
        height, width = arrays.train.images.shape[-3:-1]
        # Images are not padded for division and tests.
        if side > min(height, width):
            raise DataError(f"data.crop: {side} exceeds the images' size, {height}×{width} pixels")
    divided = divide(arrays, data, noise, streams, machine.study_dir, equal)
    mean = torch.tensor(arrays.mean, device=device)
    std = torch.tensor(arrays.std, device=device)

    mapped = None
    if isinstance(arrays.train.images, Features):
        # The map itself on a CPU; one copy for all splits on a GPU.
        mapped = torch.from_numpy(arrays.train.images.raw).to(device)

    def samples(name: str, part: Part, padding: int = 0) -> Samples:
        if mapped is not None:
            return _feature_samples(part, mapped, data, arrays)
        images: torch.Tensor | Streamed
        if isinstance(part.split.images, Files):
            assert stream is not None
            images = Streamed(stream, parts.index(name), part.rows, padding)
        else:
            pixels = torch.from_numpy(part.images())
            images = F.pad(pixels, (0, 0, padding, padding, padding, padding)).to(device)
        given, true = (
            torch.from_numpy(labels[part.rows]).to(device)
            for labels in (part.given, part.split.labels)
        )
        return Samples(images, given, true, part.rows, mean, std, data, padding, side)

    def tested(name: str) -> Samples:
        split = there[name]
        return samples(name, Part(split, np.arange(len(split)), split.labels))

    train = divided.train
    held = divided.validation
    known = bool((train.split.labels[train.rows] >= 0).all())
    return Dataset(
        samples("train", train, padding),
        samples("validation" if held.split is there.get("validation") else "train", held)
        if held
        else None,
        tested("test"),
        arrays.classes,
        data_hash,
        divided.hash,
        float(train.wrong.mean()) if known else None,
        transition(train.split.labels[train.rows], train.given[train.rows], arrays.classes)
        if known and arrays.classes <= TRANSITION_CLASSES
        else None,
        {name: tested(name) for name in arrays.more_tests},
        epoch_batches=data.epoch_batches if isinstance(data, Clothing1M) else None,
        ratings=None if train.ratings is None else train.ratings.only(train.rows),
        contents=contents,
        class_names=arrays.class_names,
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
