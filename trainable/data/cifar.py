"""CIFAR-10 and CIFAR-100, with their own labels or with those that people gave them (CIFAR-N)."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np

from trainable.config.data import Cifar10, Cifar10N, Cifar100, Cifar100N
from trainable.config.runtime import Machine
from trainable.data.arrays import Arrays, Split
from trainable.data.paths import CIFARN_SITE, human_labels, location
from trainable.errors import DataError

# The constants of the authors' transforms: classes, mean, standard deviation.
CONSTANTS = {
    "cifar10": (10, (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "cifar100": (100, (0.507, 0.487, 0.441), (0.267, 0.256, 0.276)),
}
KEYS = {
    "aggre": "aggre_label",
    "worst": "worse_label",
    "rand1": "random_label1",
    "rand2": "random_label2",
    "rand3": "random_label3",
}


def load(data: Cifar10 | Cifar100, machine: Machine) -> Arrays:
    """Read the published folder through torchvision, which checks its files. Raises DataError."""
    from torchvision import datasets

    kind = datasets.CIFAR10 if isinstance(data, Cifar10) else datasets.CIFAR100
    try:
        train, test = (kind(str(machine.data_dir), train=part, download=False) for part in (True, False))
    except (RuntimeError, OSError, EOFError, KeyError) as error:
        archive = f"{'cifar-10' if isinstance(data, Cifar10) else 'cifar-100'}-python.tar.gz"
        raise DataError(
            f"{data.name}: {location(data, machine)} is not a whole copy ({error}); unpack {archive} again"
        ) from None
    splits = [Split(part.data, np.asarray(part.targets, np.int64)) for part in (train, test)]
    classes, mean, std = CONSTANTS[data.name]
    return Arrays(splits[0], None, splits[1], classes, mean, std, tuple(train.classes))


def with_human_labels(data: Cifar10N | Cifar100N, machine: Machine) -> Arrays:
    """CIFAR with the labels of the published `.pt` file as given ones.

    The file has the clean labels too: they must be those of the images, row by row, or its order is another one.
    """
    arrays = load(Cifar10() if isinstance(data, Cifar10N) else Cifar100(), machine)
    path, key = human_labels(data, machine), KEYS[data.labels] if isinstance(data, Cifar10N) else "noisy_label"
    content = _plain_arrays(path)
    clean, given = (_column(path, content, name, arrays) for name in ("clean_label", key))
    if differ := int((clean != arrays.train.labels).sum()):
        raise DataError(
            f"{path}: clean_label differs from the images' labels in {differ} of {len(clean)} rows, so the file is not "
            "in the order of the python version of CIFAR"
        )
    return dataclasses.replace(arrays, train=dataclasses.replace(arrays.train, given=given))


def _plain_arrays(path: Path) -> dict[str, Any]:
    """The dict of NumPy arrays in a torch file, read by torch's restricted reader: nothing in it can be run."""
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
    except Exception as error:  # zipfile, pickle and torch raise each their own
        reason = "it holds more than arrays" if "Weights only" in str(error) else str(error).split("\n")[0]
        raise DataError(
            f"{path} is not a CIFAR-N label file ({reason}) and was not read further; get it from {CIFARN_SITE}"
        ) from None
    return content if isinstance(content, dict) else {}


def _column(path: Path, content: dict[str, Any], key: str, arrays: Arrays) -> np.ndarray:
    if key not in content:
        raise DataError(f"{path}: `{key}` is missing; it has {', '.join(map(str, content)) or 'no arrays'}")
    labels, n = np.asarray(content[key]), len(arrays.train)
    if labels.shape != (n,) or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(f"{path}: {key} is {labels.dtype} {labels.shape}; expected one integer for each of {n} images")
    if labels.min() < 0 or labels.max() >= arrays.classes:
        raise DataError(
            f"{path}: {key} has the classes {labels.min()} to {labels.max()}, not 0 to {arrays.classes - 1}"
        )
    return labels.astype(np.int64)
