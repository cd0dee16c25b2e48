"""`--model random`: convolutions with random patches of the images, and pooling; no training.

It follows Coates and Ng, "The Importance of Encoding Versus Training with Sparse Coding and Vector
Quantization" (ICML 2011): patches are normalised for contrast and whitened (Coates, Ng and Lee,
"An Analysis of Single-Layer Networks in Unsupervised Feature Learning", AISTATS 2011, section 3),
patches drawn at random are the filters, responses pass a soft threshold of either sign, and are
averaged over the four quadrants of the image.
"""

import math

import numpy as np
import torch
import torch.nn.functional as F

from trainable.embedding.encoder import Encoder
from trainable.embedding.images import Images
from trainable.errors import DataError
from trainable.random_streams import Streams

FILTERS = 160
"""Number of filters; each gives two features in each of four quadrants."""
PATCH = 6
"""Side of a patch, pixels; of images below 18×18 a third of their side."""
LEAST_PATCH = 3
"""Smallest side of a patch, pixels."""
PATCHES = 50_000
"""Number of patches from which the whitening is estimated."""
SAMPLE = 2_000
"""Largest number of training images from which patches are drawn."""
CONTRAST = 10.0
"""Added to the variance of a patch's pixels, of levels from 0 to 255, before it is divided by."""
WHITENING = 0.1
"""Added to the eigenvalues of the patches' covariance."""
PLACES = 10_000
"""Largest number of patches that are compared with the filters at once, if an image has fewer.

Their 6 MB stay in the process; larger arrays go back to the system each time, which takes as long
as the work itself.
"""
THRESHOLD = 0.25
"""A response below it is 0."""
LEAST_SPREAD = 1e-4
"""Features with a smaller standard deviation are not scaled up."""


class RandomPatches(Encoder):
    """1,280 features of mean 0 and standard deviation 1 over the sample.

    Args:
        seed: seed of the images and patches that are drawn.
    """

    batch = 128

    def __init__(self, seed: int):
        self._streams = Streams(seed)

    def fit(self, images: Images) -> dict[str, np.ndarray]:
        """Return `filters` (filters, channels·side²), `offset` (filters,), `mean` and `std`.

        Raises:
            DataError: the images are smaller than a patch.
        """
        rng = self._streams.numpy("patches")
        count = min(SAMPLE, images.trained)
        rows = np.sort(rng.choice(images.trained, count, replace=False))
        sample = images.load(rows)
        smallest = min(sample.shape[1:3])
        if smallest < LEAST_PATCH:
            raise DataError(
                f"--model random takes images of at least {LEAST_PATCH}×{LEAST_PATCH} pixels; "
                f"these are {sample.shape[1]}×{sample.shape[2]}"
            )
        side = max(LEAST_PATCH, min(PATCH, smallest // 3))
        patches = _drawn_patches(sample, side, rng)
        mean = patches.mean(0)
        values, vectors = np.linalg.eigh(np.cov(patches, rowvar=False))
        whitening = (vectors / np.sqrt(values + WHITENING)) @ vectors.T
        chosen = rng.choice(len(patches), FILTERS, replace=len(patches) < FILTERS)
        directions = (patches[chosen] - mean) @ whitening
        length = np.linalg.norm(directions, axis=1, keepdims=True)
        filters = (directions / np.maximum(length, 1e-6)) @ whitening
        fitted = {
            "filters": filters.astype(np.float32),
            "offset": (filters @ mean).astype(np.float32),
            "mean": np.zeros(8 * FILTERS, np.float32),
            "std": np.ones(8 * FILTERS, np.float32),
        }
        self.use(fitted)
        batches = np.array_split(sample, -(-count // self.batch))
        features = np.concatenate([self.encode(batch) for batch in batches])
        fitted["mean"] = features.mean(0)
        fitted["std"] = np.maximum(features.std(0), LEAST_SPREAD)
        return fitted

    def use(self, fitted: dict[str, np.ndarray]) -> None:
        """Take filters and the scale of the features."""
        self._filters = torch.from_numpy(fitted["filters"])
        self._offset = torch.from_numpy(fitted["offset"])
        self._mean = torch.from_numpy(fitted["mean"])
        self._std = torch.from_numpy(fitted["std"])

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Return the features (batch, 1280).

        Images are encoded a few at once if they are large: memory grows with their area.
        """
        side = self._side(pixels.shape[3])
        places = (pixels.shape[1] - side + 1) * (pixels.shape[2] - side + 1)
        step = max(1, PLACES // places)
        parts = [self._encoded(pixels[i : i + step]) for i in range(0, len(pixels), step)]
        return np.concatenate(parts)

    def _side(self, channels: int) -> int:
        """Return the side of the filters, pixels."""
        return math.isqrt(self._filters.shape[1] // channels)

    def _encoded(self, pixels: np.ndarray) -> np.ndarray:
        """Return the features (batch, 1280) of images, all at once."""
        maps = torch.from_numpy(pixels).permute(0, 3, 1, 2).float()
        side = self._side(maps.shape[1])
        patches = _contrast_normalised(F.unfold(maps, side), 1)
        response = self._filters @ patches - self._offset[:, None]
        height = maps.shape[2] - side + 1
        width = maps.shape[3] - side + 1
        grid = response.reshape(len(maps), -1, height, width)
        active = [torch.relu(sign * grid - THRESHOLD) for sign in (1, -1)]
        pooled = torch.cat([F.adaptive_avg_pool2d(each, 2).flatten(1) for each in active], 1)
        features: np.ndarray = ((pooled - self._mean) / self._std).numpy()
        return features


def _drawn_patches(images: np.ndarray, side: int, rng: np.random.Generator) -> np.ndarray:
    """Return random patches, normalised for contrast, (patches, channels·side²) float64.

    The pixels of a patch are in the order of `torch.nn.functional.unfold`: channel, row, column.
    """
    count, height, width, _ = images.shape
    image = rng.integers(0, count, PATCHES)[:, None, None]
    top = rng.integers(0, height - side + 1, PATCHES)[:, None, None]
    left = rng.integers(0, width - side + 1, PATCHES)[:, None, None]
    steps = np.arange(side)
    drawn = images[image, top + steps[:, None], left + steps]
    pixels = drawn.transpose(0, 3, 1, 2).reshape(PATCHES, -1)
    return _contrast_normalised(torch.from_numpy(pixels).double(), 1).numpy()


def _contrast_normalised(patches: torch.Tensor, pixels: int) -> torch.Tensor:
    """Return patches with mean 0 and a variance of about 1 over the dimension of their pixels."""
    centred = patches - patches.mean(pixels, keepdim=True)
    variance = centred.square().mean(pixels, keepdim=True)
    return centred / torch.sqrt(variance + CONTRAST)
