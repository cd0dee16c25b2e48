"""CIFAR-10 and CIFAR-100 as they are published."""

import numpy as np

from trainable.config.data import Cifar10, Cifar100
from trainable.config.runtime import Machine
from trainable.data.arrays import Arrays, Split
from trainable.data.paths import location
from trainable.errors import DataError

# The constants of the authors' transforms: classes, mean, standard deviation.
CONSTANTS = {
    "cifar10": (10, (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)),
    "cifar100": (100, (0.507, 0.487, 0.441), (0.267, 0.256, 0.276)),
}


def load(data: Cifar10 | Cifar100, machine: Machine) -> Arrays:
    """Read the published folder through torchvision, which checks its files. Raises DataError."""
    from torchvision import datasets

    kind = datasets.CIFAR10 if isinstance(data, Cifar10) else datasets.CIFAR100
    try:
        train, test = (
            kind(str(machine.data_dir), train=part, download=False) for part in (True, False)
        )
    except (RuntimeError, OSError, EOFError, KeyError) as error:
        archive = f"{'cifar-10' if isinstance(data, Cifar10) else 'cifar-100'}-python.tar.gz"
        raise DataError(
            f"{data.name}: {location(data, machine)} is not a whole copy ({error}); unpack "
            f"{archive} again"
        ) from None
    splits = [Split(part.data, np.asarray(part.targets, np.int64)) for part in (train, test)]
    classes, mean, std = CONSTANTS[data.name]
    return Arrays(splits[0], None, splits[1], classes, mean, std, tuple(train.classes))
