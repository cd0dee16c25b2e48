"""Encoders that need no weights: principal components and random patches."""

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import RidgeClassifier

from trainable.config.runtime import Machine
from trainable.embedding import random_patches
from trainable.embedding.images import read_images
from trainable.embedding.principal_components import PrincipalComponents
from trainable.embedding.random_patches import RandomPatches
from trainable.errors import DataError


@pytest.fixture(scope="module")
def digits():
    return read_images("digits", Machine(), None, None, threads=1)


def encoded(encoder, images):
    """Features of all images, by an encoder that is prepared."""
    return np.concatenate(
        [encoder.encode(images.load(rows)) for rows in np.array_split(np.arange(len(images)), 8)]
    )


def test_components_are_those_of_scikit_learn(digits):
    encoder = PrincipalComponents(0)
    encoder.use(encoder.fit(digits))
    found = encoded(encoder, digits)
    assert found.shape == (1797, 64)
    pixels = digits.load(np.arange(len(digits))).reshape(1797, -1) / 255
    expected = PCA().fit(pixels[: digits.trained]).transform(pixels)
    # The last components have no variance; the sign of a component is arbitrary.
    assert np.allclose(abs(found[:, :40]), abs(expected[:, :40]), atol=1e-3)


def test_random_patches_tell_classes_apart(digits):
    encoder = RandomPatches(0)
    fitted = encoder.fit(digits)
    encoder.use(fitted)
    found = encoded(encoder, digits)
    assert found.shape == (1797, 1280)
    train = slice(0, digits.trained)
    labels = digits.columns(Path())["labels"]
    assert np.allclose(found[train].mean(0), 0, atol=0.02)
    linear = RidgeClassifier(alpha=100).fit(found[train], labels[train])
    assert linear.score(found[digits.trained :], labels[digits.trained :]) > 0.95
    again = RandomPatches(0)
    again.use(fitted)
    assert np.array_equal(
        again.encode(digits.load(np.arange(5))), encoder.encode(digits.load(np.arange(5)))
    )
    assert not np.array_equal(RandomPatches(1).fit(digits)["filters"], fitted["filters"])


def test_a_response_is_the_product_of_filter_and_normalised_patch(digits):
    encoder = RandomPatches(0)
    fitted = encoder.fit(digits)
    encoder.use(fitted | {"mean": np.zeros(1280, np.float32), "std": np.ones(1280, np.float32)})
    pixels = load_digits().images[0] * 255 / 16
    image = np.rint(pixels).astype(np.uint8)[None, ..., None]
    maps = np.empty((160, 6, 6))
    for top in range(6):
        for left in range(6):
            patch = image[0, top : top + 3, left : left + 3, 0].astype(float).ravel()
            patch = (patch - patch.mean()) / np.sqrt(patch.var() + random_patches.CONTRAST)
            maps[:, top, left] = fitted["filters"] @ patch - fitted["offset"]
    both = np.concatenate([maps, -maps])
    active = torch.from_numpy(np.maximum(both - random_patches.THRESHOLD, 0))
    expected = F.avg_pool2d(active, 3).flatten()
    assert np.allclose(encoder.encode(image)[0], expected, atol=1e-4)


def test_images_smaller_than_a_patch_are_refused(tmp_path):
    rng = np.random.default_rng(0)
    tiny = rng.integers(0, 256, (30, 2, 2), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", train_images=tiny, train_labels=np.arange(30) % 2)
    images = read_images(str(tmp_path / "a.npz"), Machine(), None, None, threads=1)
    with pytest.raises(DataError, match="at least 3×3 pixels; these are 2×2"):
        RandomPatches(0).fit(images)


def test_large_images_are_encoded_a_few_at_once_with_the_same_features(digits, monkeypatch):
    encoder = RandomPatches(0)
    encoder.use(encoder.fit(digits))
    pixels = np.random.default_rng(0).integers(0, 256, (7, 64, 64, 1), dtype=np.uint8)
    seen = []
    encode_all = encoder._encoded
    monkeypatch.setattr(
        encoder, "_encoded", lambda part: seen.append(len(part)) or encode_all(part)
    )
    monkeypatch.setattr("trainable.embedding.random_patches.PLACES", 7 * 63**2)
    whole = encoder.encode(pixels)
    assert seen == [7]
    monkeypatch.setattr("trainable.embedding.random_patches.PLACES", 3 * 63**2)
    assert encoder.encode(pixels) == pytest.approx(whole, abs=1e-3)
    assert seen[1:] == [3, 3, 1]
    monkeypatch.setattr("trainable.embedding.random_patches.PLACES", 1)
    assert encoder.encode(pixels) == pytest.approx(whole, abs=1e-3), "an image at once"
