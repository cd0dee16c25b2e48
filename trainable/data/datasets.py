"""Data sets by name, read into arrays or lists of files; every mistake in them is a `DataError` that says what was
expected."""

import numpy as np

from trainable.config import Cifar10, Data, Digits, Npz
from trainable.data import cifar, folders, mnist, npz, photos
from trainable.data.arrays import Arrays, Split, measured
from trainable.data.config import (
    Cifar10N,
    Cifar100,
    Cifar100N,
    Clothing1M,
    Cub200,
    FashionMnist,
    ImageFolder,
    Kmnist,
    Mnist,
    WebVision,
)
from trainable.data.locate import missing
from trainable.errors import DataError
from trainable.machine import Machine


def load(data: Data, machine: Machine) -> Arrays:
    """Read a data set from the machine. Raises DataError if it is absent or wrong."""
    if problem := missing(data, machine):
        raise DataError(problem)
    match data:
        case Digits():
            return _digits()
        case Npz():
            return npz.load(machine.study_dir / data.path, data)
        case Mnist() | FashionMnist() | Kmnist():
            return mnist.load(data, machine)
        case Cifar10() | Cifar100():
            return cifar.load(data, machine)
        case Cifar10N() | Cifar100N():
            return cifar.with_human_labels(data, machine)
        case ImageFolder():
            return folders.load(machine.study_dir / data.path, data)
        case Cub200():
            return photos.cub200(data, machine)
        case Clothing1M():
            return photos.clothing1m(data, machine)
        case WebVision():
            return photos.webvision(data, machine)


def _digits() -> Arrays:
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    images, labels = load_digits(return_X_y=True)
    images = np.rint(images.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
    labels = labels.astype(np.int64)
    train, test = train_test_split(np.arange(len(labels)), test_size=360, stratify=labels, random_state=0)
    train, test = np.sort(train), np.sort(test)
    return measured(Split(images[train], labels[train]), None, Split(images[test], labels[test]), classes=10)
