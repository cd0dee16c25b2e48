"""Data sets and noise models by name: their fields, defaults and sources.

`trainable/data/paths.py` has the expected location of each data set's files. This module imports
pydantic only.
"""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from trainable.config.annotators import AnnotatorNoise
from trainable.config.base import Fraction, Section
from trainable.config.data_fields import DataFields, OwnLabels
from trainable.config.embeddings import Embeddings
from trainable.config.given_labels import LabelFile

Corruption = Literal["blur", "occlusion", "low_light"]

# --- data -----------------------------------------------------------------------------------------


class ImageData(DataFields):
    """Fields of every data set of images.

    Training images are zero-padded, cropped at random, and flipped left-right if `flip` is set.
    """

    crop_padding: Annotated[int, Field(ge=0, le=16)] = 4
    """Zeros added on each side before a random crop, pixels."""
    crop_probability: Fraction = 1.0
    """Probability that a training image is cropped at random; otherwise the crop is centred."""
    flip: bool = False
    """Whether training images are flipped left-right with probability 1/2."""


class Digits(ImageData):
    """scikit-learn's 1,797 handwritten digits of 8×8 pixels, with a fixed test set of 360."""

    known_classes = 10
    name: Literal["digits"] = "digits"
    crop_padding: Annotated[int, Field(ge=0, le=4)] = 1
    # With a shift in every view, plain training does not overfit 8×8 images. With a shift in one
    # view of four it does, so that label noise matters.
    crop_probability: Fraction = 0.25


class OwnData(ImageData, OwnLabels):
    """Fields of a user's own images."""


class Npz(OwnData):
    """A file in the layout of MedMNIST.

    It has `{train,val,test}_images`, uint8 (n, h, w[, c]), and `{train,val,test}_labels`, (n,) or
    (n, 1); `val_` and `test_` may be absent. If it has `train_noisy_labels` and optionally
    `val_noisy_labels`, these are the given labels, and `_labels` are the true ones.
    `train_annotators`, (n, annotators), are labels for `noise.name: annotators`; −1: no label.
    """

    name: Literal["npz"] = "npz"
    path: str
    """Path of the file; a relative path starts at the folder of the study file. The path as written
    is part of the trial's id."""


class Mnist(ImageData):
    """MNIST in torchvision's layout (never downloaded).

    It has 60,000 training and 10,000 test images, grey, of 28×28 pixels.
    """

    known_classes = 10
    name: Literal["mnist"] = "mnist"
    crop_padding: Annotated[int, Field(ge=0, le=16)] = 2


class FashionMnist(ImageData):
    """Fashion-MNIST, in the format of MNIST."""

    known_classes = 10
    name: Literal["fashion_mnist"] = "fashion_mnist"
    crop_padding: Annotated[int, Field(ge=0, le=16)] = 2
    flip: bool = True


class Kmnist(ImageData):
    """Kuzushiji-MNIST, in the format of MNIST."""

    known_classes = 10
    name: Literal["kmnist"] = "kmnist"
    crop_padding: Annotated[int, Field(ge=0, le=16)] = 2


class Cifar10(ImageData):
    """CIFAR-10 in torchvision's layout (never downloaded)."""

    known_classes = 10
    name: Literal["cifar10"] = "cifar10"
    flip: bool = True


class Cifar100(ImageData):
    """CIFAR-100 in torchvision's layout (never downloaded)."""

    known_classes = 100
    name: Literal["cifar100"] = "cifar100"
    flip: bool = True


class Cifar10N(ImageData):
    """CIFAR-10 with human labels (CIFAR-N, arXiv 2110.12088).

    The original CIFAR-10 labels are the true ones.
    """

    known_classes = 10
    name: Literal["cifar10n"] = "cifar10n"
    flip: bool = True
    labels: Literal["aggre", "worst", "rand1", "rand2", "rand3"] = "worst"
    """Set of human labels. Shares of wrong labels: aggre 9.0 %, worst 40.2 %, rand1 17.2 %, rand2
    18.1 %, rand3 17.6 %."""


class Cifar100N(ImageData):
    """CIFAR-100 with human labels of the fine classes (CIFAR-N, arXiv 2110.12088).

    40.2 % of the labels are wrong.
    """

    known_classes = 100
    name: Literal["cifar100n"] = "cifar100n"
    flip: bool = True


class Photos(ImageData):
    """Fields of the data sets of image files."""

    size: Annotated[int, Field(ge=8, le=1024)] | None = None
    """Side of the decoded square images, pixels: the shorter side is scaled to it, and the central
    square is cropped. null: all images must have the same size, and are not scaled."""
    crop: Annotated[int, Field(ge=8, le=1024)] | None = None
    """Side of the square that a network sees, pixels: a random crop in training, else the central
    one. null: the whole image."""
    resized_crop: bool = False
    """Whether training uses torchvision's `RandomResizedCrop`: a random part of 8 to 100 % of the
    area, scaled to the size that a network sees. `crop_padding` and `crop_probability` then have no
    effect."""
    exif_orientation: bool = False
    """Whether images are rotated and mirrored as their EXIF orientation says; public code of the
    published data sets does not do so."""

    @model_validator(mode="after")
    def _crop_fits(self) -> "Photos":
        if self.crop is not None and self.size is not None and self.crop > self.size:
            raise ValueError(f"`crop: {self.crop}` is more than `size: {self.size}`")
        return self


class ImageFolder(Photos, OwnData):
    """A folder `train/CLASS/`, and optionally `val/` and `test/`, or `CLASS/` alone.

    Images are at any depth below their class. Classes are numbered in the order of their names.
    """

    name: Literal["image_folder"] = "image_folder"
    path: str
    """Path of the folder; a relative path starts at the folder of the study file. The path as
    written is part of the trial's id."""
    channels: Literal[1, 3] = 3
    """Channels of every image. 3: grey images are repeated; 1: colours are converted to grey."""
    exif_orientation: bool = True
    """Whether photographs are rotated as their EXIF orientation says, as viewers show them."""
    skip_unreadable: bool = False
    """Whether files that are not valid images are left out, and listed in the log and the report;
    else they are an error. All images are decoded once more to find them."""


class Cub200(Photos):
    """Caltech-UCSD Birds 200-2011 in the published layout.

    It has 5,994 training and 5,794 test photographs of 200 classes.
    """

    known_classes = 200
    name: Literal["cub200"] = "cub200"
    size: Annotated[int, Field(ge=8, le=1024)] | None = 256
    crop: Annotated[int, Field(ge=8, le=1024)] | None = 224
    crop_padding: Annotated[int, Field(ge=0, le=16)] = 0
    flip: bool = True


class Clothing1M(Photos):
    """Clothing1M: a million photographs in 14 classes, with about 38 % wrong labels.

    The test set has 10,526 clean photographs. As in the authors' `dataloader_clothing1M.py`, each
    epoch draws a new balanced subset of the training set for each network.
    """

    known_classes = 14
    name: Literal["clothing1m"] = "clothing1m"
    size: Annotated[int, Field(ge=8, le=1024)] | None = 256
    crop: Annotated[int, Field(ge=8, le=1024)] | None = 224
    crop_padding: Annotated[int, Field(ge=0, le=16)] = 0
    flip: bool = True
    clean_validation: bool = False
    """Whether the validation set is the data set's own 14,313 clean images, by which the authors'
    script selects the epoch."""
    epoch_batches: Annotated[int, Field(ge=1)] = 1000
    """Batches per epoch. An epoch draws `epoch_batches` × `train.batch_size` images (twice as many
    in warm-up), balanced over the given classes as far as their images suffice."""


class WebVision(Photos):
    """WebVision 1.0: the images of its first 50 classes from the Google search.

    The test sets are the validation images of WebVision and of ILSVRC12. Image sizes are those of
    the authors' code.
    """

    name: Literal["webvision"] = "webvision"
    size: Annotated[int, Field(ge=8, le=1024)] | None = 320
    crop: Annotated[int, Field(ge=8, le=1024)] | None = 299
    crop_padding: Annotated[int, Field(ge=0, le=16)] = 0
    flip: bool = True
    resized_crop: bool = True
    classes: Annotated[int, Field(ge=2, le=1000)] = 50
    """Number of classes, the first ones of WebVision."""
    ilsvrc12: bool = True
    """Whether ILSVRC12's validation images are a second test set (`ilsvrc12/accuracy`,
    `ilsvrc12/top5`)."""


Data = Annotated[
    Digits
    | Npz
    | Mnist
    | FashionMnist
    | Kmnist
    | Cifar10
    | Cifar100
    | Cifar10N
    | Cifar100N
    | ImageFolder
    | Embeddings
    | Cub200
    | Clothing1M
    | WebVision,
    Field(discriminator="name"),
]

# --- noise ----------------------------------------------------------------------------------------


class NoNoise(Section):
    """No added noise: the labels of the data set."""

    name: Literal["none"] = "none"


class SymmetricNoise(Section):
    """Symmetric noise: a sample's label is replaced by a uniformly drawn class.

    See `include_true` for the two definitions.
    """

    name: Literal["symmetric"] = "symmetric"
    rate: Fraction
    """Noise rate, 0 to 1."""
    include_true: bool = True
    """Whether the new class may be the true one. true: exactly int(rate·n) samples get a class that
    is uniform over all C classes (the authors' code), so rate·(1−1/C) of the labels are wrong.
    false: each sample moves with probability `rate` to one of the other classes."""


class PairNoise(Section):
    """Pair noise (Co-teaching's pair flip): class c becomes c+1 mod C with probability `rate`."""

    name: Literal["pair"] = "pair"
    rate: Fraction
    """Probability that a label changes."""


class AsymmetricNoise(Section):
    """Asymmetric noise: exactly int(rate·n) samples move to the target of their class.

    It follows the authors' code for CIFAR-10. Half of the classes have no target there, so the
    share of wrong labels is rate/2.
    """

    name: Literal["asymmetric"] = "asymmetric"
    rate: Fraction
    """Share of samples that are chosen, 0 to 1; those of a class without a target keep their
    label."""
    map: Literal["cifar10", "cifar100"] | list[Annotated[int, Field(ge=0)]] = "cifar10"
    """Target of each class. cifar10: truck→automobile, bird→airplane, deer→horse, cat↔dog.
    cifar100: the next class of the true superclass. A list: the target of each class, the class
    itself where there is none."""


class InstanceNoise(Section):
    """Part-dependent noise (arXiv 2006.07836).

    The noise rate of a sample is drawn around `rate` (sd 0.1), truncated to [0, 1]; the truncation
    raises the mean of small rates. A random projection of the sample's pixels decides which class
    it may become.
    """

    name: Literal["instance"] = "instance"
    rate: Annotated[float, Field(gt=0, le=1)]
    """Centre of the distribution of the samples' noise rates."""


class CorruptedNoise(Section):
    """Noise by corrupted images, after CILN (arXiv 2606.14965).

    Exactly int(rate·n) images are blurred, occluded or darkened, so that their class is hidden.
    Networks see them so, in the training and in the validation set. Each gets the label of the
    clean image of another class that it resembles most.
    """

    name: Literal["corrupted"] = "corrupted"
    rate: Fraction
    """Share of images that are corrupted, all of which get a wrong label."""
    corruptions: Annotated[list[Corruption], Field(min_length=1)] = [
        "blur",
        "occlusion",
        "low_light",
    ]
    """Corruptions of which each image gets one at random. `trainable/data/corruptions.py` has their
    strength."""


class FileNoise(LabelFile):
    """Given labels from a file.

    Formats: a JSON list with one label per training image, as the authors' code writes it; a `.npy`
    array; a `.csv` with the columns `file,label` or `index,label`. `file` is a path or a class
    folder and a name.
    """

    name: Literal["file"] = "file"
    path: str
    """Path of the file; a relative path starts at the folder of the study file. The trial's id
    depends on the labels in the file, not on the path."""


Noise = Annotated[
    NoNoise
    | SymmetricNoise
    | PairNoise
    | AsymmetricNoise
    | InstanceNoise
    | CorruptedNoise
    | AnnotatorNoise
    | FileNoise,
    Field(discriminator="name"),
]
