"""Read data sets by name into arrays or lists of files."""

from trainable.config.data import (
    Cifar10,
    Cifar10N,
    Cifar100,
    Cifar100N,
    Clothing1M,
    Cub200,
    Data,
    Digits,
    FashionMnist,
    ImageFolder,
    Kmnist,
    Mnist,
    Npz,
    WebVision,
)
from trainable.config.embeddings import Embeddings
from trainable.config.runtime import Machine
from trainable.data import (
    cifar,
    cifar_n,
    clothing_webvision_cub,
    digits,
    embeddings,
    image_folder,
    mnist,
    npz,
)
from trainable.data.arrays import Arrays
from trainable.data.paths import labels_of, missing
from trainable.errors import DataError


def load(data: Data, machine: Machine) -> Arrays:
    """Read a data set.

    Raises:
        DataError: it is missing or wrong; the message has what was expected.
    """
    if problem := missing(data, machine):
        raise DataError(problem)
    match data:
        case Digits():
            return digits.load()
        case Npz():
            return npz.load(machine.study_dir / data.path, data)
        case Mnist() | FashionMnist() | Kmnist():
            return mnist.load(data, machine)
        case Cifar10() | Cifar100():
            return cifar.load(data, machine)
        case Cifar10N() | Cifar100N():
            return cifar_n.with_human_labels(data, machine)
        case ImageFolder():
            return image_folder.load(machine.study_dir / data.path, data, machine.shared_dir)
        case Embeddings():
            labels = labels_of(data, machine)
            place = machine.study_dir / data.path
            return embeddings.load(place, data, labels, machine.shared_dir)
        case Cub200():
            return clothing_webvision_cub.cub200(data, machine)
        case Clothing1M():
            return clothing_webvision_cub.clothing1m(data, machine)
        case WebVision():
            return clothing_webvision_cub.webvision(data, machine)
