"""How a feature vector becomes a network's input, in training and for new data."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from trainable.config.embeddings import Embeddings
from trainable.data.arrays import Arrays
from trainable.errors import DataError

Normalise = Literal["none", "standard", "l2"]
MOST_NUMBERS = {"cpu": 2**20, "cuda": 2**26}
"""Maximum number of features that are predicted at once, by device."""
CONSTANT = 1e-4
"""Share of the mean standard deviation below which a feature counts as constant."""


def most_rows_at_once(device: torch.device, width: int) -> int:
    """Return the maximum number of vectors of `width` features that are predicted at once."""
    return max(1, MOST_NUMBERS[device.type] // width)


@dataclass(frozen=True)
class FeatureScale:
    """Normalisation of feature vectors.

    Attributes:
        normalise: see `Embeddings.normalise`.
        mean, std: of each feature over the training set.
    """

    normalise: Normalise
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def of(cls, data: Embeddings, arrays: Arrays) -> "FeatureScale":
        """Return the normalisation of a data set."""
        return cls(data.normalise, arrays.mean, arrays.std)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "FeatureScale":
        """Return what `to_dict` was called of. Raises KeyError, TypeError or ValueError."""
        found = cls(content["normalise"], tuple(content["mean"]), tuple(content["std"]))
        if found.normalise not in ("none", "standard", "l2") or len(found.mean) != len(found.std):
            raise ValueError("mean and std have one number for each feature")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"normalise": self.normalise, "mean": list(self.mean), "std": list(self.std)}

    @property
    def input_shape(self) -> tuple[int]:
        """(features,) of a network's input."""
        return (len(self.mean),)

    @property
    def root_mean_square(self) -> float:
        """Root of the mean square of the normalised features."""
        if self.normalise != "none":
            return 1.0
        return float(np.sqrt(np.mean(np.square(self.mean) + np.square(self.std))))

    def most_at_once(self, device: torch.device) -> int:
        """Return the maximum number of vectors that are predicted at once."""
        return most_rows_at_once(device, len(self.mean))

    def on(self, device: torch.device) -> "Scaling":
        """Return the normalisation with its numbers on a device."""
        std = np.array(self.std)
        # A constant feature differs from its mean by rounding alone.
        typical = float(std.mean()) or 1.0
        std = np.where(std < CONSTANT * typical, typical, std)
        return Scaling(
            self.normalise,
            torch.tensor(self.mean, dtype=torch.float32, device=device),
            torch.tensor(1 / std, dtype=torch.float32, device=device),
        )

    def read(self, vector: np.ndarray) -> np.ndarray:
        """Return a feature vector (features,), checked.

        Raises:
            DataError: it has another number of features, or one that is not finite.
        """
        if vector.shape != (len(self.mean),):
            raise DataError(
                f"the vector has {vector.size} features; the networks were trained on "
                f"{len(self.mean)}"
            )
        if not np.isfinite(vector).all():
            raise DataError("the vector has NaN or infinite features")
        return vector

    def input(self, vectors: np.ndarray, device: torch.device) -> torch.Tensor:
        """Return a network's input (batch, features) of vectors (batch, features)."""
        return self.on(device)(torch.from_numpy(np.ascontiguousarray(vectors)).to(device))


@dataclass(frozen=True)
class Scaling:
    """Normalisation of feature vectors with its numbers on a device."""

    normalise: Normalise
    mean: torch.Tensor
    inverse_std: torch.Tensor

    def __call__(self, vectors: torch.Tensor) -> torch.Tensor:
        """Return normalised vectors (batch, features) float32, in new memory."""
        scaled = vectors.to(torch.float32, copy=True)
        if self.normalise == "standard":
            scaled.sub_(self.mean).mul_(self.inverse_std)
        elif self.normalise == "l2":
            length = scaled.norm(dim=1, keepdim=True).clamp_min_(1e-12)
            scaled.mul_(math.sqrt(scaled.shape[1]) / length)
        return scaled
