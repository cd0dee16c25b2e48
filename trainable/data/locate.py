"""Where a data set's files must lie. Standard library only, so that a plan can warn without loading torch."""

from pathlib import Path

from trainable.config import Cifar10, Data, Npz
from trainable.machine import Machine

CIFAR10_FOLDER = "cifar-10-batches-py"


def location(data: Data, machine: Machine) -> Path | None:
    """The file or folder that holds the data; None for data that comes with a library."""
    match data:
        case Npz():
            return machine.study_dir / data.path
        case Cifar10():
            return machine.data_dir / CIFAR10_FOLDER
    return None


def missing(data: Data, machine: Machine) -> str | None:
    """What is absent and what is expected there, or None."""
    path = location(data, machine)
    try:
        if path is None or path.exists():
            return None
    except OSError as error:  # a name that no file can have
        return f"{data.name}: {path}: {error.strerror}"
    expected = {
        "npz": "expected a file with train_images, train_labels, test_images, test_labels and perhaps val_* (uint8)",
        "cifar10": "expected the folder of cifar-10-python.tar.gz (data_batch_1 … 5, test_batch, batches.meta) from "
        "https://www.cs.toronto.edu/~kriz/cifar.html; unpack it there, or name its parent with --data DIR",
    }
    return f"{data.name}: {path} does not exist; {expected[data.name]}"
