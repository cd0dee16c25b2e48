"""MNIST and data sets in its format."""

import shlex

import numpy as np

from trainable.config.data import FashionMnist, Kmnist, Mnist
from trainable.config.runtime import Machine
from trainable.data.arrays import Arrays, Split, measured
from trainable.data.paths import location
from trainable.errors import DataError

FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
"""The files of a data set, as torchvision reads them."""


def load(data: Mnist | FashionMnist | Kmnist, machine: Machine) -> Arrays:
    """Read the four files with torchvision; pixels are normalised by those of the training set.

    Raises:
        DataError: the files are incomplete or damaged.
    """
    from torchvision import datasets

    _check_unpacked(data, machine)
    kind = {
        "mnist": datasets.MNIST,
        "fashion_mnist": datasets.FashionMNIST,
        "kmnist": datasets.KMNIST,
    }[data.name]
    splits = []
    try:
        for train in (True, False):
            part = kind(str(machine.data_dir), train=train, download=False)
            images = part.data.numpy()[..., None]
            labels = part.targets.numpy().astype(np.int64)
            if images.ndim != 4 or len(images) != len(labels) or not len(labels):
                raise ValueError(f"{len(images)} images and {len(labels)} labels")
            if labels.max() > 9:
                raise ValueError(f"the label {labels.max()}, not 0 to 9")
            splits.append(Split(images, labels))
    except Exception as error:  # torchvision, struct, NumPy and torch raise different types
        raise DataError(
            f"{data.name}: {location(data, machine)} is not a complete copy "
            f"({error or type(error).__name__}); unpack its four files again"
        ) from None
    return measured(splits[0], None, splits[1], classes=10)


def _check_unpacked(data: Mnist | FashionMnist | Kmnist, machine: Machine) -> None:
    """Raise DataError if a file is there as it is published only, with gzip."""
    folder = location(data, machine)
    assert folder is not None
    for name in FILES:
        packed = folder / f"{name}.gz"
        if packed.exists() and not (folder / name).exists():
            raise DataError(
                f"{data.name}: {packed} is packed; unpack it: gunzip {shlex.quote(str(packed))}"
            )
