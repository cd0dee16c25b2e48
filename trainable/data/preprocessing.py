"""How an image becomes a network's input when a trial is tested, for images of any source."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from trainable.config.data import ImageData, Photos
from trainable.data.arrays import Arrays
from trainable.data.features import Features
from trainable.data.images import decode, from_pixels
from trainable.data.samples import centre, most_at_once, normalised
from trainable.errors import DataError


@dataclass(frozen=True)
class Preprocessing:
    """Steps from an image to the input of a network, without augmentation.

    Attributes:
        height, width, channels: of every image after it is read, pixels.
        size: side of the squares to which images are scaled, pixels; None: images are not scaled.
        crop: side of the central square that a network sees, pixels; None: the whole image.
        upright: whether files are rotated as their EXIF orientation says.
        mean, std: per channel, of pixels in [0, 1].
    """

    height: int
    width: int
    channels: int
    size: int | None
    crop: int | None
    upright: bool
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, data: ImageData, arrays: Arrays) -> "Preprocessing":
        """Return the steps for a data set, before its images are decoded or after."""
        images = arrays.train.images
        assert not isinstance(images, Features)
        height, width, channels = images.shape[-3:]
        size = None
        crop = None
        upright = True
        if isinstance(data, Photos):
            size = data.size
            crop = data.crop
            upright = data.exif_orientation
        return cls(height, width, channels, size, crop, upright, arrays.mean, arrays.std)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Preprocessing":
        """Return what `to_dict` was called of. Raises TypeError or ValueError."""
        found = cls(**{**content, "mean": tuple(content["mean"]), "std": tuple(content["std"])})
        if not len(found.mean) == len(found.std) == found.channels:
            raise ValueError("mean and std have one number for each channel")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {**asdict(self), "mean": list(self.mean), "std": list(self.std)}

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(channels, height, width) of a network's input."""
        return self.channels, self.crop or self.height, self.crop or self.width

    def most_at_once(self, device: torch.device) -> int:
        """Return the maximum number of images that are predicted at once."""
        _, height, width = self.input_shape
        return most_at_once(device, height, width)

    def read(self, image: Path | np.ndarray) -> np.ndarray:
        """Return an image as training reads it, uint8 (height, width, channels).

        Args:
            image: a file, or uint8 pixels (any height, any width, 1 or 3).

        Raises:
            DataError: it is not a valid image, or has another size and is not scaled.
        """
        if isinstance(image, np.ndarray):
            found = image
            if self.size is not None or image.shape[2] != self.channels:
                found = from_pixels(image, self.size, self.channels)
        else:
            found = decode(image, self.size, self.channels, self.upright)
        height, width = found.shape[:2]
        if (height, width) != (self.height, self.width):
            shown = f"{image} has" if isinstance(image, Path) else "the image has"
            raise DataError(
                f"{shown} {width}×{height} pixels; the networks were trained on images of "
                f"{self.width}×{self.height}, without data.size, so they scale none"
            )
        return found

    def input(self, images: np.ndarray, device: torch.device) -> torch.Tensor:
        """Return a network's input (batch, channels, height, width) of images from `read`."""
        _, height, width = self.input_shape
        pixels = torch.from_numpy(images).to(device)
        mean = torch.tensor(self.mean, device=device)
        std = torch.tensor(self.std, device=device)
        return normalised(centre(pixels, height, width), mean, std)
