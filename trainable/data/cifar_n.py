"""CIFAR-N: CIFAR-10 and CIFAR-100 with human labels."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from trainable.config.data import Cifar10, Cifar10N, Cifar100, Cifar100N
from trainable.config.runtime import Machine
from trainable.data import cifar
from trainable.data.arrays import Arrays
from trainable.data.paths import CIFARN_SITE, human_labels
from trainable.data.ratings import Ratings
from trainable.errors import DataError

KEYS = {
    "aggre": "aggre_label",
    "worst": "worse_label",
    "rand1": "random_label1",
    "rand2": "random_label2",
    "rand3": "random_label3",
}
PEOPLE = ("rand1", "rand2", "rand3")
"""Labels of three people each; `aggre` is their majority."""


def with_human_labels(data: Cifar10N | Cifar100N, machine: Machine) -> Arrays:
    """Read CIFAR with the labels of the published `.pt` file as given labels.

    The file also has the clean labels. They must equal those of the images in every row; otherwise
    the order of the rows is different.

    Raises:
        DataError: the images or the label file are missing or wrong.
    """
    arrays = cifar.load(Cifar10() if isinstance(data, Cifar10N) else Cifar100(), machine)
    path = human_labels(data, machine)
    key = KEYS[data.labels] if isinstance(data, Cifar10N) else "noisy_label"
    content = _plain_arrays(path)
    clean, given = (_column(path, content, name, arrays) for name in ("clean_label", key))
    if differ := int((clean != arrays.train.labels).sum()):
        raise DataError(
            f"{path}: clean_label differs from the images' labels in {differ} of {len(clean)} "
            "rows. The file must have the order of the python version of CIFAR"
        )
    train = dataclasses.replace(arrays.train, given=given, ratings=_ratings(path, content, arrays))
    return dataclasses.replace(arrays, train=train)


def _ratings(path: Path, content: dict[str, Any], arrays: Arrays) -> Ratings | None:
    """Return the labels of the three people who labeled each image; None: the file has others."""
    if not all(KEYS[name] in content for name in PEOPLE):
        return None
    columns = [_column(path, content, KEYS[name], arrays) for name in PEOPLE]
    return Ratings(np.stack(columns, axis=1), PEOPLE)


def _plain_arrays(path: Path) -> dict[str, Any]:
    """Return the dict of NumPy arrays in a torch file.

    torch's restricted reader executes no code of the file.

    Raises:
        DataError: the file is not readable, or contains other objects.
    """
    import torch
    from numpy._core.multiarray import _reconstruct

    allowed: list[Any] = [
        (_reconstruct, "numpy.core.multiarray._reconstruct"),  # as NumPy 1 wrote it
        (_reconstruct, "numpy._core.multiarray._reconstruct"),
        np.ndarray,
        np.dtype,
        *{type(np.dtype(kind)) for kind in ("int8", "int16", "int32", "int64", "uint8")},
    ]
    try:
        with torch.serialization.safe_globals(allowed):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # zipfile, pickle and torch raise different types
        reason = (
            "it contains objects that are not arrays"
            if "Weights only" in str(error)
            else str(error).split("\n")[0]
        )
        raise DataError(
            f"{path} is not a CIFAR-N label file ({reason}). Download it from {CIFARN_SITE}"
        ) from None
    return content if isinstance(content, dict) else {}


def _column(path: Path, content: dict[str, Any], key: str, arrays: Arrays) -> np.ndarray:
    if key not in content:
        raise DataError(
            f"{path}: `{key}` is missing; it has {', '.join(map(str, content)) or 'no arrays'}"
        )
    labels = np.asarray(content[key])
    n = len(arrays.train)
    if labels.shape != (n,) or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"{path}: {key} is {labels.dtype} {labels.shape}; expected one integer for each of {n} "
            "images"
        )
    if labels.min() < 0 or labels.max() >= arrays.classes:
        raise DataError(
            f"{path}: {key} has the classes {labels.min()} to {labels.max()}, not 0 to "
            f"{arrays.classes - 1}"
        )
    return labels.astype(np.int64)
