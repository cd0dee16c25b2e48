"""Folds of cross-fitting: a partition of samples in which each fold is held out once.

Out-of-fold judgements of labels: Northcutt et al., "Confident Learning", JAIR 2021, arXiv
1911.00068.
"""

import numpy as np

from trainable.errors import DataError


def folds(
    labels: np.ndarray, contents: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Partition samples at random into folds with equal shares of each class.

    Images with equal content are in one fold and count as one image of the class of the first.

    Args:
        labels: (n,) given classes; true labels are not used.
        contents: (n,) numbers that are equal where images are.
        count: number of folds.
        rng: generator of the partition.

    Returns:
        Fold of each sample, (n,), 0 to `count` − 1.

    Raises:
        DataError: there are fewer different images than folds.
    """
    _, first, group_of, sizes = np.unique(
        contents, return_index=True, return_inverse=True, return_counts=True
    )
    groups = len(first)
    if groups < count:
        raise DataError(
            f"data.folds: {count} folds need as many different training images, and there are "
            f"{groups}"
        )
    shuffled = rng.permutation(groups)
    # Groups of one class and size follow each other, so that dealing them out is even.
    order = shuffled[np.lexsort((sizes[shuffled], labels[first[shuffled]]))]
    fold_of_group = np.empty(groups, np.int64)
    fold_of_group[order] = np.arange(groups) % count
    return fold_of_group[group_of]
