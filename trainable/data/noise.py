"""Label noise: clean labels in, given labels out."""

import numpy as np

from trainable.config import Noise, NoNoise, PairNoise, SymmetricNoise


def corrupt(labels: np.ndarray, classes: int, noise: Noise, rng: np.random.Generator) -> np.ndarray:
    """Noisy copy of integer labels (n,).

    Symmetric noise that may keep the true class is the authors' (`dataloader_cifar.py`): exactly int(rate·n) samples
    get a class drawn from all. The other models draw per sample, as Co-teaching's and JoCoR's transition matrices do.
    """
    noisy = labels.copy()
    match noise:
        case NoNoise():
            pass
        case SymmetricNoise(include_true=True):
            # The small term keeps int(0.29 * 100) at 29, where the product is 28.999….
            chosen = rng.permutation(len(labels))[: int(noise.rate * len(labels) + 1e-9)]
            noisy[chosen] = rng.integers(0, classes, len(chosen))
        case SymmetricNoise():
            moved = rng.random(len(labels)) < noise.rate
            step = rng.integers(1, classes, len(labels))
            noisy[moved] = (labels[moved] + step[moved]) % classes
        case PairNoise():
            moved = rng.random(len(labels)) < noise.rate
            noisy[moved] = (labels[moved] + 1) % classes
    return noisy


def class_dependent(noise: Noise) -> bool:
    """Whether the authors' code would add the confidence penalty to warm-up by itself."""
    return isinstance(noise, PairNoise)
