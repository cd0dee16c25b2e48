"""What turns images into features."""

from abc import ABC, abstractmethod
from typing import Literal

import numpy as np

from trainable.embedding.images import Images


class Encoder(ABC):
    """Images in, features out.

    Attributes:
        batch: number of images that are encoded at once.
        side: side of the squares that it takes, pixels; None: any image.
        channels: of the images that it takes; None: 1 or 3.
    """

    batch: int = 256
    side: int | None = None
    channels: Literal[1, 3] | None = None

    def fit(self, images: Images) -> dict[str, np.ndarray]:
        """Return what is estimated from the training images, for `use`; nothing by default."""
        return {}

    def use(self, fitted: dict[str, np.ndarray]) -> None:  # noqa: B027 – networks need nothing
        """Prepare for `encode` with the result of `fit`, of this process or of an earlier one."""

    @abstractmethod
    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Return the features (batch, width) of images (batch, height, width, channels) uint8."""
