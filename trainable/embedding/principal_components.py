"""`--model pca`: principal components of the pixels, by scikit-learn."""

import numpy as np
from sklearn.decomposition import IncrementalPCA
from sklearn.utils import gen_batches

from trainable.embedding.encoder import Encoder
from trainable.embedding.images import Images
from trainable.random_streams import Streams

COMPONENTS = 256
"""Largest number of components."""
SAMPLE = 20_000
"""Largest number of training images from which the components are estimated."""
FITTED_AT_ONCE = 2048
"""Number of images in a step of the fit."""


class PrincipalComponents(Encoder):
    """Projections of centred pixels, 0 to 1, on the directions of largest variance.

    They are estimated from a random sample of the training images batch by batch (Ross et al.,
    "Incremental Learning for Robust Visual Tracking", IJCV 2008).

    Args:
        seed: seed of the sample.
    """

    batch = 512

    def __init__(self, seed: int):
        self._streams = Streams(seed)

    def fit(self, images: Images) -> dict[str, np.ndarray]:
        """Return `mean` (pixels,) and `components` (up to 256, pixels) of the training images."""
        count = min(SAMPLE, images.trained)
        rng = self._streams.numpy("components")
        rows = rng.choice(images.trained, count, replace=False)
        pixels = images.load(rows[:1]).size
        components = min(COMPONENTS, pixels, count)
        pca = IncrementalPCA(components)
        for step in gen_batches(count, FITTED_AT_ONCE, min_batch_size=components):
            pca.partial_fit(_flat(images.load(np.sort(rows[step]))))
        return {
            "mean": pca.mean_.astype(np.float32),
            "components": pca.components_.astype(np.float32),
        }

    def use(self, fitted: dict[str, np.ndarray]) -> None:
        """Take mean and components."""
        self._mean = fitted["mean"]
        self._components = fitted["components"]

    def encode(self, pixels: np.ndarray) -> np.ndarray:
        """Return the projections (batch, components)."""
        projected: np.ndarray = (_flat(pixels) - self._mean) @ self._components.T
        return projected


def _flat(pixels: np.ndarray) -> np.ndarray:
    """Return images as rows of pixels from 0 to 1, float32."""
    return pixels.reshape(len(pixels), -1).astype(np.float32) / 255
