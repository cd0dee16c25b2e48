"""Images and labels for methods, normalised and augmented on the device.

`Samples` is the interface: `views(index, count, rng)` for training, and `plain(index)` for division
and testing. Both return float images in channels-last memory. Images are either resident (uint8 on
the device, read once) or streamed (decoded when they are needed). The results are equal.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import numpy as np
import torch

from trainable.config.data import ImageData, Photos
from trainable.config.data_fields import DataFields
from trainable.data.augment import Crops, DrawnAhead, cropped, draw_crops, resized_crop
from trainable.data.streaming import Batch, Index, Streamed

Draws = torch.Generator | DrawnAhead
"""Where the augmentation of views is drawn from."""
MOST_PIXELS = {"cpu": 256 * 32 * 32, "cuda": 2048 * 32 * 32}
"""Maximum number of pixels of images that are predicted at once, by device: the size of a CPU's
caches, and enough to keep a GPU busy. Results on the CPU do not depend on it."""


def most_at_once(device: torch.device, height: int, width: int) -> int:
    """Return the maximum number of images of that size that are predicted at once."""
    return max(1, MOST_PIXELS[device.type] // (height * width))


@dataclass
class Samples:
    """One split on the device.

    Attributes:
        images: (n, h + 2·padding, w + 2·padding, channels) uint8, zero-padded tensor or stream.
        given: (n,) given labels, used for training.
        true: (n,) true labels, used for metrics only; −1: unknown.
        source_index: (n,) rows in the data set as it is read.
        mean: (channels,) mean of pixels in [0, 1].
        std: (channels,) standard deviation of pixels in [0, 1].
        augmentation: fields of the data set.
        padding: zeros on each side for random crops, pixels.
        side: side of the square crop, pixels; None: the image's own height and width.
    """

    images: torch.Tensor | Streamed
    given: torch.Tensor
    true: torch.Tensor
    source_index: np.ndarray
    mean: torch.Tensor
    std: torch.Tensor
    augmentation: DataFields
    padding: int = 0
    side: int | None = None

    def __len__(self) -> int:
        return len(self.given)

    @property
    def device(self) -> torch.device:
        """Device of the labels and of the views."""
        return self.given.device

    @property
    def most_at_once(self) -> int:
        """Maximum number of images that are predicted at once."""
        return most_at_once(self.device, *self._size)

    @cached_property
    def true_known(self) -> bool:
        """Whether all true labels are known; a GPU is asked once."""
        return bool((self.true >= 0).all())

    def draws(self, rng: torch.Generator) -> Draws:
        """Return what `views` of many batches draw from: faster than the generator itself."""
        if self._resizes:
            return rng
        return DrawnAhead(partial(self._crops, rng), rng)

    def views(self, index: torch.Tensor, count: int, rng: Draws) -> list[torch.Tensor]:
        """Return `count` independent augmented views of the images at `index` (batch,).

        Each is (batch, channels, h, w) float. `rng` is a generator, or `draws` of one.
        """
        images, where = self._padded(index)
        # One gather for all views: on a GPU and for small images, the calls take the time.
        weak = self._weak(images, where.repeat(count), rng)
        return list(self._normalised(weak).chunk(count))

    def strong_views(self, index: torch.Tensor, count: int, rng: Draws) -> list[torch.Tensor]:
        """Return views as `views` does, with AutoAugment after crop and flip."""
        # The import of torchvision takes seconds, and most trials do not need it.
        from trainable.data.autoaugment import auto_augment

        images, where = self._padded(index)
        weak = self._weak(images, where.repeat(count), rng)
        generator = rng.rng if isinstance(rng, DrawnAhead) else rng
        return list(self._normalised(auto_augment(weak, generator)).chunk(count))

    def _weak(self, images: torch.Tensor, where: torch.Tensor, rng: Draws) -> torch.Tensor:
        """Return randomly cropped and flipped images, (batch, h, w, channels) uint8."""
        if isinstance(rng, DrawnAhead):
            return cropped(images, where, rng.next(len(where)))
        if self._resizes:
            assert isinstance(self.augmentation, Photos)
            return resized_crop(images, where, self._size, self.augmentation.flip, rng)
        return cropped(images, where, self._crops(rng, len(where)))

    @property
    def _resizes(self) -> bool:
        """Whether random parts of the images are scaled to one size."""
        return isinstance(self.augmentation, Photos) and self.augmentation.resized_crop

    def _crops(self, rng: torch.Generator, n: int) -> Crops:
        height, width = self.images.shape[1:3]
        fields = self.augmentation
        assert isinstance(fields, ImageData)
        return draw_crops(
            n,
            (height, width),
            self.padding,
            fields.crop_probability,
            fields.flip,
            rng,
            self.side,
            self.device,
        )

    def plain(self, index: Index) -> torch.Tensor:
        """Return the images at `index` without augmentation, (batch, channels, h, w) float."""
        images, where = self._padded(index)
        return self._normalised(centre(images[where], *self._size))

    def in_batches(self) -> Iterator[tuple[slice, torch.Tensor]]:
        """Yield all samples in order, `most_at_once` at a time: where they are, and `plain` images.

        Streamed images of the next batches are decoded meanwhile.
        """
        size = self.most_at_once
        for batch in self.ahead(slice(s, s + size) for s in range(0, len(self), size)):
            yield batch, self.plain(batch)

    def ahead(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """Yield `batches` in order, while streamed images of the next ones are decoded.

        A batch is an index, or a tuple with at least one index.
        """
        if isinstance(self.images, torch.Tensor):
            return iter(batches)
        return self.images.ahead(batches)

    def only(self, rows: np.ndarray) -> "Samples":
        """Return only the samples at `rows` (m,), in that order."""
        index = torch.from_numpy(rows).to(self.device)
        return dataclasses.replace(
            self,
            images=self.images[index],
            given=self.given[index],
            true=self.true[index],
            source_index=self.source_index[rows],
        )

    @property
    def _size(self) -> tuple[int, int]:
        """(height, width) of the network's input, pixels."""
        if self.side is not None:
            return self.side, self.side
        return self.images.shape[1] - 2 * self.padding, self.images.shape[2] - 2 * self.padding

    def _padded(self, index: Index) -> tuple[torch.Tensor, Any]:
        """Return padded images, and the positions of the images at `index` in them."""
        if isinstance(self.images, torch.Tensor):
            return self.images, index
        images = self.images.padded(index)
        return images, torch.arange(len(images), device=self.device)

    def _normalised(self, images: torch.Tensor) -> torch.Tensor:
        return normalised(images, self.mean, self.std)


def centre(images: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Return the central part (batch, height, width, channels) of images."""
    top = (images.shape[1] - height) // 2
    left = (images.shape[2] - width) // 2
    return images[:, top : top + height, left : left + width]


def normalised(images: torch.Tensor, mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """Return a network's input, (batch, channels, h, w) float in channels-last memory.

    Args:
        images: (batch, h, w, channels) uint8.
        mean, std: (channels,), of pixels in [0, 1].
    """
    width, channels = images.shape[2:]
    # Whole rows of pixels: three channels would not fill a vector register of the CPU.
    repeats = width if channels > 1 else 1
    lines = images.to(torch.float32).flatten(2)
    lines.div_(255).sub_(mean.repeat(repeats)).div_(std.repeat(repeats))
    pixels = lines.view(*lines.shape[:2], width, channels)
    # NHWC in memory: channels-last for the convolutions, without a copy.
    return pixels.permute(0, 3, 1, 2)
