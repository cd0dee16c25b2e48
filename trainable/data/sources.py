"""Resident images: uint8 on the device, read once, indexed after.

`Samples` is the interface that the methods see: `views(index, count, rng)` for training and `plain(index)` for judging
and testing, both normalised float images in channels-last memory.
"""

import hashlib
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F

from trainable.config import ImageData, Noise
from trainable.data.augment import crop_and_flip
from trainable.data.datasets import Arrays, Split
from trainable.data.noise import corrupt
from trainable.errors import DataError
from trainable.streams import Streams


@dataclass
class Samples:
    """One split on the device.

    Attributes:
        images: (n, h + 2·padding, w + 2·padding, channels) uint8, padded with zeros once.
        given: (n,) labels that training may see.
        true: (n,) labels for measuring only.
        source_index: (n,) row in the data set as read.
    """

    images: torch.Tensor
    given: torch.Tensor
    true: torch.Tensor
    source_index: np.ndarray
    mean: torch.Tensor
    std: torch.Tensor
    augmentation: ImageData
    padding: int = field(default=0)

    def __len__(self) -> int:
        return len(self.given)

    @property
    def device(self) -> torch.device:
        """Where the images are."""
        return self.images.device

    def views(self, index: torch.Tensor, count: int, rng: torch.Generator) -> list[torch.Tensor]:
        """`count` independent augmentations of the images at `index`, each (batch, channels, h, w) float."""
        a = self.augmentation
        return [
            self._normalised(crop_and_flip(self.images, index, self.padding, a.crop_probability, a.flip, rng))
            for _ in range(count)
        ]

    def plain(self, index: torch.Tensor | slice) -> torch.Tensor:
        """The images at `index` without augmentation, (batch, channels, h, w) float."""
        p = self.padding
        inner = slice(p, -p) if p else slice(None)
        return self._normalised(self.images[index][:, inner, inner])

    def _normalised(self, images: torch.Tensor) -> torch.Tensor:
        pixels = images.to(torch.float32).div_(255).sub_(self.mean).div_(self.std)
        return pixels.permute(0, 3, 1, 2)  # NHWC in memory: channels-last for the convolutions, without a copy


@dataclass
class Dataset:
    """What a trial trains on and is measured by. `validation` has noisy labels and is never trained on."""

    train: Samples
    validation: Samples | None
    test: Samples
    classes: int
    data_hash: str
    noise_hash: str
    noise_rate: float
    """Share of the training labels that are wrong."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of one image."""
        _, channels, height, width = self.test.plain(slice(0, 1)).shape
        return channels, height, width


def prepare(arrays: Arrays, data: ImageData, noise: Noise, streams: Streams, device: torch.device) -> Dataset:
    """Corrupt the labels, split off the validation set and move everything to the device.

    Noise is injected before the split, so another `validation_fraction` does not change a sample's label. A validation
    set that comes with the data gets the same noise.
    """
    rng = streams.numpy("noise")
    given = corrupt(arrays.train.labels, arrays.classes, noise, rng)
    mean, std = torch.tensor(arrays.mean, device=device), torch.tensor(arrays.std, device=device)

    def samples(split: Split, given: np.ndarray, rows: np.ndarray, padding: int = 0) -> Samples:
        images = torch.from_numpy(split.images[rows])
        return Samples(
            F.pad(images, (0, 0, padding, padding, padding, padding)).to(device),
            torch.from_numpy(given[rows]).to(device),
            torch.from_numpy(split.labels[rows]).to(device),
            rows,
            mean,
            std,
            data,
            padding,
        )

    rows, validation = np.arange(len(arrays.train)), None
    if arrays.validation is not None:
        noisy = corrupt(arrays.validation.labels, arrays.classes, noise, rng)
        validation = samples(arrays.validation, noisy, np.arange(len(arrays.validation)))
    elif held_out := round(data.validation_fraction * len(rows)):
        shuffled = streams.numpy("validation").permutation(len(rows))
        validation = samples(arrays.train, given, np.sort(shuffled[:held_out]))
        rows = np.sort(shuffled[held_out:])
    if len(rows) < 2:
        raise DataError(f"{len(rows)} training images are left after the validation split; at least 2 are needed")

    train = samples(arrays.train, given, rows, data.crop_padding)
    digest = hashlib.sha256(np.ascontiguousarray(given).data)
    digest.update(np.ascontiguousarray(rows).data)
    return Dataset(
        train,
        validation,
        samples(arrays.test, arrays.test.labels, np.arange(len(arrays.test))),
        arrays.classes,
        arrays.hash,
        digest.hexdigest()[:16],
        float((given[rows] != arrays.train.labels[rows]).mean()),
    )
