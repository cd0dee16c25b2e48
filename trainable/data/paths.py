"""Expected locations and layouts of data sets.

The module does not import torch, so a plan can warn of missing data quickly.
"""

from pathlib import Path

from trainable.config.data import (
    Cifar10,
    Cifar10N,
    Cifar100,
    Cifar100N,
    Clothing1M,
    Cub200,
    Data,
    FashionMnist,
    ImageFolder,
    Kmnist,
    Mnist,
    Npz,
    WebVision,
)
from trainable.config.embeddings import Embeddings
from trainable.config.runtime import Machine
from trainable.data.embedding_columns import FORMS

CIFAR10_FOLDER = "cifar-10-batches-py"
CIFAR100_FOLDER = "cifar-100-python"
CIFAR_SITE = "https://www.cs.toronto.edu/~kriz/cifar.html"
CIFARN_SITE = "https://github.com/UCSC-REAL/cifar-10-100n (folder data)"


def location(data: Data, machine: Machine) -> Path | None:
    """Return the file or folder with the images; None: the data is part of a library."""
    match data:
        case Npz() | ImageFolder() | Embeddings():
            return machine.study_dir / data.path
        case Cifar10() | Cifar10N():
            return machine.data_dir / CIFAR10_FOLDER
        case Cifar100() | Cifar100N():
            return machine.data_dir / CIFAR100_FOLDER
        case Mnist():
            return machine.data_dir / "MNIST" / "raw"
        case FashionMnist():
            return machine.data_dir / "FashionMNIST" / "raw"
        case Kmnist():
            return machine.data_dir / "KMNIST" / "raw"
        case Cub200():
            return machine.data_dir / "CUB_200_2011"
        case Clothing1M():
            return machine.data_dir / "clothing1m"
        case WebVision():
            return machine.data_dir / "webvision"
    return None


def human_labels(data: Cifar10N | Cifar100N, machine: Machine) -> Path:
    """Return the path of the published file of CIFAR-N labels."""
    return machine.data_dir / (
        "CIFAR-10_human.pt" if isinstance(data, Cifar10N) else "CIFAR-100_human.pt"
    )


def labels_of(data: Embeddings, machine: Machine) -> Path | None:
    """Return the path of the table of labels; None: that next to the features, or none."""
    return None if data.labels is None else machine.study_dir / data.labels


def ilsvrc12(machine: Machine) -> Path:
    """Return the folder of ILSVRC12 validation images, with one folder per WebVision class."""
    return machine.data_dir / "imagenet" / "val"


def missing(data: Data, machine: Machine) -> str | None:
    """Return a message about the missing path and the expected layout; None: nothing is missing."""
    places = [(location(data, machine), _expected(data))]
    if isinstance(data, Cifar10N | Cifar100N):
        places.append(
            (human_labels(data, machine), f"expected the CIFAR-N label file from {CIFARN_SITE}")
        )
    if isinstance(data, WebVision) and data.ilsvrc12:
        text = (
            f"expected the folders 0 … {data.classes - 1}, WebVision's class numbers, with the "
            "ILSVRC12 validation images of each (https://image-net.org), or data.ilsvrc12: false"
        )
        places.append((ilsvrc12(machine), text))
    if isinstance(data, Embeddings):
        places.append((labels_of(data, machine), "expected a table of labels (.csv)"))
    for path, expected in places:
        try:
            if path is not None and not path.exists():
                return f"{data.name}: {path} does not exist; {expected}"
        except OSError as error:  # an invalid file name
            return f"{data.name}: {path}: {error.strerror}"
    place = location(data, machine)
    if isinstance(data, Embeddings):
        return None
    if place is not None and place.is_dir() == isinstance(data, Npz):
        kind = "folder" if place.is_dir() else "file"
        return f"{data.name}: {place} is a {kind}; {_expected(data)}"
    return None


def missing_labels(path: str, machine: Machine) -> str | None:
    """Return a message about a missing file of given labels; None: it exists."""
    file = machine.study_dir / path
    try:
        if file.is_file():
            return None
    except (OSError, ValueError) as error:  # an invalid file name
        return f"noise.path: {file}: {error}"
    return f"noise.path: {file} {'is not a file' if file.exists() else 'does not exist'}"


def _expected(data: Data) -> str:
    """Return the expected layout, the source of the data, and what to do."""
    there = "; unpack it there, or name its parent with --data DIR"
    match data:
        case Npz():
            return (
                "expected a file with train_images, train_labels and optionally val_*, test_* "
                "(images uint8)"
            )
        case ImageFolder():
            return (
                "expected a folder with CLASS/*.jpg (or .jpeg, .png, …), or with train/CLASS/… and "
                "optionally val/CLASS/… and test/CLASS/…, with the same class folders"
            )
        case Embeddings():
            return f"expected {FORMS}"
        case Cifar10() | Cifar10N():
            return (
                "expected the folder of cifar-10-python.tar.gz (data_batch_1 … 5, test_batch, "
                f"batches.meta) from {CIFAR_SITE}{there}"
            )
        case Cifar100() | Cifar100N():
            return (
                "expected the folder of cifar-100-python.tar.gz (train, test, meta) from "
                f"{CIFAR_SITE}{there}"
            )
        case Mnist() | FashionMnist() | Kmnist():
            site = {
                "mnist": "https://ossci-datasets.s3.amazonaws.com/mnist",
                "fashion_mnist": "https://github.com/zalandoresearch/fashion-mnist",
                "kmnist": "https://codh.rois.ac.jp/kmnist",
            }[data.name]
            return (
                "expected train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte "
                f"and t10k-labels-idx1-ubyte, unpacked, from {site}; put them there, or pass the "
                "folder two levels above with --data DIR"
            )
        case Cub200():
            return (
                "expected the folder of CUB_200_2011.tgz (images.txt, image_class_labels.txt, "
                "train_test_split.txt, classes.txt, images/) from "
                f"https://www.vision.caltech.edu/datasets/cub_200_2011{there}"
            )
        case Clothing1M():
            return (
                "expected noisy_label_kv.txt, clean_label_kv.txt, noisy_train_key_list.txt, "
                "clean_val_key_list.txt, clean_test_key_list.txt and the folders of images that "
                "they list (0/ … 9/), from the authors of https://github.com/Cysu/noisy_label, who "
                "send them on request"
            )
        case WebVision():
            return (
                "expected info/train_filelist_google.txt, info/val_filelist.txt, google/ and "
                "val_images_256/ of WebVision 1.0, resized, from "
                "https://data.vision.ee.ethz.ch/cvl/webvision/dataset2017.html"
            )
    return ""
