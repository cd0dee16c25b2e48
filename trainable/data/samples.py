"""The images and labels that methods see, normalised and augmented on the device.

`Samples` is the interface: `views(index, count, rng)` for training and `plain(index)` for judging
and testing, both float images in channels-last memory. Its images are resident, uint8 on the
device, read once and indexed after; or they are streamed, decoded when they are needed, which
changes nothing but the time it takes.
"""

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from trainable.config.data import ImageData, Photos
from trainable.data.augment import crop_and_flip, resized_crop
from trainable.data.streaming import Batch, Index, Streamed

MOST_PIXELS = {"cpu": 256 * 32 * 32, "cuda": 2048 * 32 * 32}
"""Of the images that are judged at once: what a processor's caches hold, and what keeps a GPU busy.
On the CPU the results are the same whatever the number."""


@dataclass
class Samples:
    """One split on the device.

    Attributes:
        images: (n, h + 2·padding, w + 2·padding, channels) uint8, padded with zeros once, or
            streamed in that form.
        given: (n,) labels that training may see.
        true: (n,) labels for measuring only; −1 where nobody knows them.
        source_index: (n,) row in the data set as read.
        padding: zeros on each side, from which random crops may take.
        side: of the square that is cut from the image; None: the image's own height and width.
    """

    images: torch.Tensor | Streamed
    given: torch.Tensor
    true: torch.Tensor
    source_index: np.ndarray
    mean: torch.Tensor
    std: torch.Tensor
    augmentation: ImageData
    padding: int = 0
    side: int | None = None

    def __len__(self) -> int:
        return len(self.given)

    @property
    def device(self) -> torch.device:
        """Where the images are."""
        return self.given.device

    @property
    def most_at_once(self) -> int:
        """How many images are judged at once."""
        height, width = self._size
        return max(1, MOST_PIXELS[self.device.type] // (height * width))

    @property
    def true_known(self) -> bool:
        """Whether there is a truth to measure against."""
        return bool((self.true >= 0).all())

    def views(self, index: torch.Tensor, count: int, rng: torch.Generator) -> list[torch.Tensor]:
        """`count` independent augmentations of the images at `index`, each (batch, channels, h, w)
        float."""
        images, where = self._padded(index)
        return [self._normalised(self._weak(images, where, rng)) for _ in range(count)]

    def strong_views(
        self, index: torch.Tensor, count: int, rng: torch.Generator
    ) -> list[torch.Tensor]:
        """As `views`, with AutoAugment after the crop and the flip."""
        # torchvision takes seconds to load, and most trials do not need it.
        from trainable.data.autoaugment import auto_augment

        images, where = self._padded(index)
        weak = torch.cat([self._weak(images, where, rng) for _ in range(count)])
        return list(self._normalised(auto_augment(weak, rng)).chunk(count))

    def _weak(self, images: torch.Tensor, where: Any, rng: torch.Generator) -> torch.Tensor:
        """Randomly cropped and flipped images, (batch, h, w, channels) uint8."""
        fields = self.augmentation
        if isinstance(fields, Photos) and fields.resized_crop:
            return resized_crop(images, where, self._size, fields.flip, rng)
        return crop_and_flip(
            images, where, self.padding, fields.crop_probability, fields.flip, rng, self.side
        )

    def plain(self, index: Index) -> torch.Tensor:
        """The images at `index` without augmentation, (batch, channels, h, w) float."""
        images, where = self._padded(index)
        height, width = self._size
        top, left = (images.shape[1] - height) // 2, (images.shape[2] - width) // 2
        return self._normalised(images[where][:, top : top + height, left : left + width])

    def ahead(self, batches: Iterable[Batch]) -> Iterator[Batch]:
        """`batches`, one after the other: indices, or tuples that hold some. Streamed images are
        decoded meanwhile."""
        if isinstance(self.images, torch.Tensor):
            return iter(batches)
        return self.images.ahead(batches)

    def only(self, rows: np.ndarray) -> "Samples":
        """The samples at `rows` (m,) alone, in that order."""
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
        """(height, width) that a network sees."""
        if self.side is not None:
            return self.side, self.side
        return self.images.shape[1] - 2 * self.padding, self.images.shape[2] - 2 * self.padding

    def _padded(self, index: Index) -> tuple[torch.Tensor, Any]:
        """Padded images, and where in them those at `index` are."""
        if isinstance(self.images, torch.Tensor):
            return self.images, index
        images = self.images.padded(index)
        return images, torch.arange(len(images), device=self.device)

    def _normalised(self, images: torch.Tensor) -> torch.Tensor:
        width, channels = images.shape[2:]
        # A row of pixels at a time: three channels do not fill a vector of the processor.
        repeats = width if channels > 1 else 1
        mean = self.mean.repeat(repeats)
        std = self.std.repeat(repeats)
        lines = images.to(torch.float32).flatten(2)
        lines.div_(255).sub_(mean).div_(std)
        pixels = lines.view(*lines.shape[:2], width, channels)
        # NHWC in memory: channels-last for the convolutions, without a copy.
        return pixels.permute(0, 3, 1, 2)
