"""Data sets and noise models by name: their fields, defaults and sources. Imports pydantic only.

Where a data set's files must lie is in `trainable/data/paths.py`.
"""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from trainable.config.base import Fraction, Section

# --- data -----------------------------------------------------------------------------------------


class ImageData(Section):
    """Fields that every data set has. Training images are cropped after zero padding, and flipped
    left-right."""

    known_classes: ClassVar[int | None] = None
    """Number of classes, where the name of the data set says it."""
    validation_fraction: Annotated[float, Field(ge=0, le=0.5)] = 0.05
    """Share of the training set held out, with its noisy labels, and never trained on. Ignored
    where the data set has a validation set of its own. The authors' CIFAR script has none (0)."""
    clean_validation: bool = False
    """Noise is put on the training part only, after the split; the validation set keeps its right
    labels. In practice nobody has those: the default selects by labels that are as wrong as the
    training set's."""
    crop_padding: Annotated[int, Field(ge=0, le=16)] = 4
    crop_probability: Fraction = 1.0
    flip: bool = False


class Digits(ImageData):
    """scikit-learn's 1,797 handwritten digits of 8×8 pixels; 360 of them, always the same, are the
    test set."""

    known_classes = 10
    name: Literal["digits"] = "digits"
    crop_padding: Annotated[int, Field(ge=0, le=4)] = 1
    # A shift in every view keeps plain training from overfitting 8×8 images at all; a shift in one
    # view of four leaves that problem real.
    crop_probability: Fraction = 0.25


class Npz(ImageData):
    """A MedMNIST-layout file: `{train,val,test}_images` uint8 (n, h, w[, c]) and `_labels` (n,) or
    (n, 1).

    With `train_noisy_labels` and perhaps `val_noisy_labels` in it, training sees those, and
    `_labels` are the truth.
    """

    name: Literal["npz"] = "npz"
    path: str
    """Counts as written; a relative path is looked up beside the study file."""
    labels_are_true: bool = True
    """false: nobody knows which training labels are right, so nothing is measured against them."""


class Mnist(ImageData):
    """MNIST: 60,000 and 10,000 grey images of 28×28 pixels, in torchvision's layout (never
    downloaded)."""

    known_classes = 10
    name: Literal["mnist"] = "mnist"
    crop_padding: Annotated[int, Field(ge=0, le=16)] = 2


class FashionMnist(ImageData):
    """Fashion-MNIST, as MNIST."""

    known_classes = 10
    name: Literal["fashion_mnist"] = "fashion_mnist"
    crop_padding: Annotated[int, Field(ge=0, le=16)] = 2
    flip: bool = True


class Kmnist(ImageData):
    """Kuzushiji-MNIST, as MNIST."""

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
    """CIFAR-10 with labels that people gave it (CIFAR-N, arXiv 2110.12088); the usual CIFAR-10
    labels are the truth."""

    known_classes = 10
    name: Literal["cifar10n"] = "cifar10n"
    flip: bool = True
    labels: Literal["aggre", "worst", "rand1", "rand2", "rand3"] = "worst"
    """Wrong: 9.0, 40.2, 17.2, 18.1 and 17.6 %."""


class Cifar100N(ImageData):
    """CIFAR-100 with labels that people gave it (fine classes, 40.2 % wrong; CIFAR-N, arXiv
    2110.12088)."""

    known_classes = 100
    name: Literal["cifar100n"] = "cifar100n"
    flip: bool = True


class Photos(ImageData):
    """Fields of the data sets that are image files."""

    size: Annotated[int, Field(ge=8, le=1024)] | None = None
    """Every image is scaled until its shorter side has so many pixels, and cut to the square in its
    middle. None: all images must be of one size already, and are taken as they are."""
    crop: Annotated[int, Field(ge=8, le=1024)] | None = None
    """Side of the square that a network sees: cut at random in training, from the middle else.
    None: the whole."""
    resized_crop: bool = False
    """In training, a random part of 8 to 100 % of the area is scaled to what a network sees
    (torchvision's `RandomResizedCrop`); `crop_padding` and `crop_probability` then have no
    effect."""

    @model_validator(mode="after")
    def _crop_fits(self) -> "Photos":
        if self.crop is not None and self.size is not None and self.crop > self.size:
            raise ValueError(f"`crop: {self.crop}` is more than `size: {self.size}`")
        return self


class ImageFolder(Photos):
    """A folder `{train,[val,]test}/CLASS/*.jpg|jpeg|png`; classes are numbered in the order of
    their names."""

    name: Literal["image_folder"] = "image_folder"
    path: str
    """Counts as written; a relative path is looked up beside the study file."""
    channels: Literal[1, 3] = 3
    """3: grey images are repeated; 1: colours become grey."""
    labels_are_true: bool = True
    """false: nobody knows which training labels are right, so nothing is measured against them."""


class Cub200(Photos):
    """Caltech-UCSD Birds 200-2011: 5,994 and 5,794 photographs of 200 classes, in the published
    layout."""

    known_classes = 200
    name: Literal["cub200"] = "cub200"
    size: Annotated[int, Field(ge=8, le=1024)] | None = 256
    crop: Annotated[int, Field(ge=8, le=1024)] | None = 224
    crop_padding: Annotated[int, Field(ge=0, le=16)] = 0
    flip: bool = True


class Clothing1M(Photos):
    """Clothing1M: a million photographs in 14 classes, about 38 % of the labels wrong; tested on
    10,526 clean ones.

    As in the authors' `dataloader_clothing1M.py`, a network sees a fresh balanced part of the set
    in each epoch.
    """

    known_classes = 14
    name: Literal["clothing1m"] = "clothing1m"
    size: Annotated[int, Field(ge=8, le=1024)] | None = 256
    crop: Annotated[int, Field(ge=8, le=1024)] | None = 224
    crop_padding: Annotated[int, Field(ge=0, le=16)] = 0
    flip: bool = True
    clean_validation: bool = False
    """true: the data set's own 14,313 clean validation images choose the epoch, as in the authors'
    script."""
    epoch_batches: Annotated[int, Field(ge=1)] = 1000
    """Batches an epoch: so many times `train.batch_size` images are drawn (twice that in warm-up),
    with as many of each given class as there are."""


class WebVision(Photos):
    """WebVision 1.0, its first 50 classes as its Google search gave them; tested on WebVision's and
    ILSVRC12's own validation images. The authors' sizes."""

    name: Literal["webvision"] = "webvision"
    size: Annotated[int, Field(ge=8, le=1024)] | None = 320
    crop: Annotated[int, Field(ge=8, le=1024)] | None = 299
    crop_padding: Annotated[int, Field(ge=0, le=16)] = 0
    flip: bool = True
    resized_crop: bool = True
    classes: Annotated[int, Field(ge=2, le=1000)] = 50
    ilsvrc12: bool = True
    """Test on ILSVRC12's validation images too (`ilsvrc12/accuracy`, `ilsvrc12/top5`)."""


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
    | Cub200
    | Clothing1M
    | WebVision,
    Field(discriminator="name"),
]

# --- noise ----------------------------------------------------------------------------------------


class NoNoise(Section):
    """The labels as the data set gives them."""

    name: Literal["none"] = "none"


class SymmetricNoise(Section):
    """`include_true`: exactly int(rate·n) samples get a uniform class, perhaps their own (the
    authors' code; the actual rate is rate·(1−1/C)). Without it each sample is moved, with
    probability `rate`, to one of the other classes."""

    name: Literal["symmetric"] = "symmetric"
    rate: Fraction
    include_true: bool = True


class PairNoise(Section):
    """Class c becomes c+1 (modulo C), with probability `rate` (Co-teaching's pair flip)."""

    name: Literal["pair"] = "pair"
    rate: Fraction


class AsymmetricNoise(Section):
    """Exactly int(rate·n) samples are chosen, and those whose class has another as its target get
    it (the authors' code for CIFAR-10, where half of the classes have none: the actual rate is
    rate/2)."""

    name: Literal["asymmetric"] = "asymmetric"
    rate: Fraction
    map: Literal["cifar10", "cifar100"] | list[Annotated[int, Field(ge=0)]] = "cifar10"
    """cifar10: truck→automobile, bird→airplane, deer→horse, cat↔dog. cifar100: the next class of
    the true superclass. Or a list with the target of each class, its own number where it has
    none."""


class InstanceNoise(Section):
    """Part-dependent noise (arXiv 2006.07836): a sample's own rate is drawn around `rate` (sd 0.1,
    within 0 and 1; the cut raises the mean of small rates), and a random projection of its pixels
    decides which class it may become."""

    name: Literal["instance"] = "instance"
    rate: Annotated[float, Field(gt=0, le=1)]


class FileNoise(Section):
    """Given labels from a file: a JSON list as the authors' code writes, one label a training
    image; a `.npy` array; or a `.csv` with the columns `file,label` (image files, by path or by
    class folder and name) or `index,label`."""

    name: Literal["file"] = "file"
    path: str
    """Counts as written; a relative path is looked up beside the study file."""


Noise = Annotated[
    NoNoise | SymmetricNoise | PairNoise | AsymmetricNoise | InstanceNoise | FileNoise,
    Field(discriminator="name"),
]
