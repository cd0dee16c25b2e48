"""Label noise: draw given labels from clean labels."""

import numpy as np

from trainable.config.annotators import AnnotatorNoise
from trainable.config.data import (
    AsymmetricNoise,
    CorruptedNoise,
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
    """Return a noisy copy of integer labels (n,).

    Symmetric noise with `include_true` and asymmetric noise follow the authors' code
    (`dataloader_cifar.py`): exactly int(rate·n) samples are chosen. The other models draw per
    sample, like the transition matrices of Co-teaching and JoCoR.

    Args:
        labels: (n,) integers.
        classes: number of classes.
        noise: the noise model, except noise from a file, by corrupted images or by annotators.
        rng: generator of the noise.
        images: (n, …) uint8, for instance-dependent noise.
        projections: generator of the projections of instance-dependent noise (default: `rng`); two
            data sets with equal projections have the same noise.

    Raises:
        DataError: the class map does not fit the classes.
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
        case FileNoise() | CorruptedNoise() | AnnotatorNoise():
            raise TypeError("these labels are not drawn from labels")
    return noisy


def class_dependent(noise: Noise) -> bool:
    """Return whether the authors' code uses the confidence penalty in warm-up for this noise."""
    return isinstance(noise, PairNoise | AsymmetricNoise)


def transition(true: np.ndarray, given: np.ndarray, classes: int) -> np.ndarray:
    """Return the empirical P(given | true), (classes, classes), one row per true class.

    The row of a class without samples is zero.
    """
    counts = np.bincount(true * classes + given, minlength=classes**2).reshape(classes, classes)
    shares: np.ndarray = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    return shares


def nominal_transition(noise: Noise, classes: int) -> np.ndarray | None:
    """Return P(given | true) as a noise model defines it, (classes, classes).

    None if it depends on the sample, or the labels are from a file.
    """
    kept = np.eye(classes)
    match noise:
        case NoNoise():
            return kept
        case SymmetricNoise(include_true=True):
            moved = np.full((classes, classes), 1 / classes)
        case SymmetricNoise():
            moved = (1 - kept) / (classes - 1)
        case PairNoise():
            moved = np.roll(kept, 1, axis=1)
        case AsymmetricNoise():
            moved = kept[target_classes(noise.map, classes)]
        case _:
            return None
    mixed: np.ndarray = (1 - noise.rate) * kept + noise.rate * moved
    return mixed


def _chosen(n: int, rate: float, rng: np.random.Generator) -> np.ndarray:
    # With the small term, int(0.29 * 100) is 29; the product alone is 28.999….
    return rng.permutation(n)[: int(rate * n + 1e-9)]


def _part_dependent(
    labels: np.ndarray,
    classes: int,
    rate: float,
    rng: np.random.Generator,
    images: np.ndarray,
    projections: np.random.Generator,
) -> np.ndarray:
    """Draw the noise of Xia et al. (NeurIPS 2020).

    It follows `get_instance_noisy_label` of Part-dependent-label-noise. Each class has a random
    matrix that maps flattened images (bytes, not normalised) to a score for every other class. The
    probability of class c is the sample's own rate times the softmax of its scores.
    """
    # The import takes seconds, and no other noise needs it.
    from scipy.stats import truncnorm

    low = -rate / INSTANCE_SD
    high = (1 - rate) / INSTANCE_SD
    own_rate = truncnorm.rvs(
        low, high, loc=rate, scale=INSTANCE_SD, size=len(labels), random_state=rng
    )
    draw = rng.random(len(labels))
    noisy = labels.copy()
    pixels = int(np.prod(images.shape[1:]))
    # One class at a time: all matrices together need gigabytes for 100 classes.
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
