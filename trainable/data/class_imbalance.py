"""Long-tailed classes: fewer and fewer samples from the first class to the last one."""

import numpy as np

from trainable.errors import DataError


def long_tailed(
    labels: np.ndarray, classes: int, imbalance: float, rng: np.random.Generator
) -> np.ndarray:
    """Draw the positions (m,) of a long-tailed part of the samples, sorted.

    Class c keeps n·imbalance^(−c/(C−1)) samples, rounded down, as in the code of Cui et al. (CVPR
    2019). n is the largest number for which every class has as many.

    Args:
        labels: (n,) classes.
        classes: number of classes C.
        imbalance: size of the first class ÷ size of the last one, at least 1.
        rng: generator of the draw.

    Raises:
        DataError: a class would have no sample.
    """
    counts = np.bincount(labels, minlength=classes)
    shares = imbalance ** (-np.arange(classes) / (classes - 1))
    first = (counts / shares).min()
    # With the small term, a whole number is not rounded down.
    sizes = np.floor(first * shares + 1e-9).astype(int)
    if sizes.min() < 1:
        raise DataError(
            f"data.imbalance: {imbalance:g} leaves class {sizes.argmin()} no training image: the "
            f"first class would have {sizes[0]} of its {counts[0]}. Decrease it"
        )
    shuffled = rng.permutation(len(labels))
    kept = [shuffled[labels[shuffled] == label][:size] for label, size in enumerate(sizes)]
    return np.sort(np.concatenate(kept))
