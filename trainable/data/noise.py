"""Label noise: clean labels in, given labels out."""

import numpy as np
from scipy.stats import truncnorm

from trainable.config.data import (
    AsymmetricNoise,
    FileNoise,
    InstanceNoise,
    Noise,
    NoNoise,
    PairNoise,
    SymmetricNoise,
)
from trainable.data.class_maps import target_classes

INSTANCE_SD = 0.1


def corrupt(
    labels: np.ndarray,
    classes: int,
    noise: Noise,
    rng: np.random.Generator,
    images: np.ndarray | None = None,
    projections: np.random.Generator | None = None,
) -> np.ndarray:
    """Noisy copy of integer labels (n,).

    Symmetric noise that may keep the true class, and asymmetric noise, are the authors'
    (`dataloader_cifar.py`): exactly int(rate·n) samples are chosen. The other models draw per
    sample, as Co-teaching's and JoCoR's transition matrices do.

    Args:
        images: (n, …) uint8, for noise that depends on them.
        projections: draws what such noise sees in an image (default: `rng`); two sets with equal
            ones err alike.

    Raises:
        DataError: the noise does not fit the classes.
    """
    noisy = labels.copy()
    match noise:
        case NoNoise():
            pass
        case SymmetricNoise(include_true=True):
            chosen = _chosen(len(labels), noise.rate, rng)
            noisy[chosen] = rng.integers(0, classes, len(chosen))
        case SymmetricNoise():
            moved = rng.random(len(labels)) < noise.rate
            step = rng.integers(1, classes, len(labels))
            noisy[moved] = (labels[moved] + step[moved]) % classes
        case PairNoise():
            moved = rng.random(len(labels)) < noise.rate
            noisy[moved] = (labels[moved] + 1) % classes
        case AsymmetricNoise():
            chosen = _chosen(len(labels), noise.rate, rng)
            noisy[chosen] = target_classes(noise.map, classes)[labels[chosen]]
        case InstanceNoise():
            assert images is not None
            noisy = _part_dependent(labels, classes, noise.rate, rng, images, projections or rng)
        case FileNoise():
            raise TypeError("labels from a file are read, not drawn")
    return noisy


def class_dependent(noise: Noise) -> bool:
    """Whether the authors' code would add the confidence penalty to warm-up by itself."""
    return isinstance(noise, PairNoise | AsymmetricNoise)


def transition(true: np.ndarray, given: np.ndarray, classes: int) -> np.ndarray:
    """P(given | true) as it came out, (classes, classes) with a row for each true class; zeros
    where there is none."""
    counts = np.bincount(true * classes + given, minlength=classes**2).reshape(classes, classes)
    shares: np.ndarray = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    return shares


def _chosen(n: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    # The small term keeps int(0.29 * 100) at 29, where the product is 28.999….
    return rng.permutation(n)[: int(rate * n + 1e-9)]


def _part_dependent(
    labels: np.ndarray,
    classes: int,
    rate: float,
    rng: np.random.Generator,
    images: np.ndarray,
    projections: np.random.Generator,
) -> np.ndarray:
    """Noise of Xia et al. (NeurIPS 2020), as `get_instance_noisy_label` of
    Part-dependent-label-noise draws it.

    Each class has a random matrix that maps flattened images (bytes as they are) to a score for
    every other class; a sample goes to class c with its own rate times the softmax of its scores.
    """
    low = -rate / INSTANCE_SD
    high = (1 - rate) / INSTANCE_SD
    own_rate = truncnorm.rvs(
        low, high, loc=rate, scale=INSTANCE_SD, size=len(labels), random_state=rng
    )
    draw = rng.random(len(labels))
    noisy = labels.copy()
    pixels = int(np.prod(images.shape[1:]))
    # A class at a time: all matrices together are gigabytes for 100 classes.
    for c in range(classes):
        matrix = projections.standard_normal((pixels, classes), dtype=np.float32)
        rows = np.flatnonzero(labels == c)
        if len(rows) == 0:
            continue
        flattened = images[rows].reshape(len(rows), -1).astype(np.float32)
        scores = (flattened @ matrix).astype(np.float64)
        scores[:, c] = -np.inf
        share = np.exp(scores - scores.max(1, keepdims=True))
        probability = own_rate[rows, None] * share / share.sum(1, keepdims=True)
        probability[:, c] = 1 - own_rate[rows]
        upper = probability.cumsum(1)
        noisy[rows] = np.minimum((draw[rows, None] >= upper / upper[:, -1:]).sum(1), classes - 1)
    return noisy
