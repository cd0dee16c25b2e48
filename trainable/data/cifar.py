"""CIFAR-10 and CIFAR-100 in the published format."""

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
    """Read the published folder with torchvision, which checks its files.

    Raises:
        DataError: the folder is incomplete or damaged.
    """
    from torchvision import datasets

    if isinstance(data, Cifar10):
        kind = datasets.CIFAR10
        archive = "cifar-10-python.tar.gz"
    else:
        kind = datasets.CIFAR100
        archive = "cifar-100-python.tar.gz"
    try:
        train = kind(str(machine.data_dir), train=True, download=False)
        test = kind(str(machine.data_dir), train=False, download=False)
    except (RuntimeError, OSError, EOFError, KeyError) as error:
        raise DataError(
            f"{data.name}: {location(data, machine)} is not a complete copy ({error}); unpack "
            f"{archive} again"
        ) from None
    train_split = Split(train.data, np.asarray(train.targets, np.int64))
    test_split = Split(test.data, np.asarray(test.targets, np.int64))
    classes, mean, std = CONSTANTS[data.name]
    return Arrays(train_split, None, test_split, classes, mean, std, tuple(train.classes))
