"""Networks by name: their fields. Imports pydantic only."""

from importlib.util import find_spec
from typing import Annotated, Literal

from pydantic import Field

from trainable.config.base import Section


class SmallCnn(Section):
    """Strided 3×3 convolutions down to 2×2, then two linear layers; 36,010 parameters for the
    digits at width 32."""

    name: Literal["small_cnn"] = "small_cnn"
    width: Annotated[int, Field(ge=4, le=512)] = 32


class LeNet(Section):
    """The small network of the COMP6248 report, which is that of PyTorch's CIFAR-10 tutorial: two
    5×5 convolutions, three linear layers, no BatchNorm; 62,006 parameters for CIFAR-10. Images of
    at least 16×16."""

    name: Literal["lenet"] = "lenet"


class Cnn6(Section):
    """JoCoR's network (`model/cnn.py` of github.com/hongxin001/JoCoR): six 3×3 convolutions of 64
    to 196 and at last 16 channels, each with BatchNorm, and one linear layer; 518,150 parameters
    for CIFAR-10. Images of at least 8×8."""

    name: Literal["cnn6"] = "cnn6"


class PreactResNet18(Section):
    """The authors' PreAct ResNet-18 for 32×32 images; 11,171,274 parameters at 10 classes."""

    name: Literal["preact_resnet18"] = "preact_resnet18"


class PreactResNet34(Section):
    """The same with 3, 4, 6 and 3 blocks in place of 2 each. (`ResNet34` of the authors' file has
    other blocks.)"""

    name: Literal["preact_resnet34"] = "preact_resnet34"


class Torchvision(Section):
    """torchvision's networks, with random weights and its own initialisation, dropout and
    stochastic depth."""

    name: Literal[
        "resnet18", "resnet34", "resnet50", "mobilenet_v2", "convnext_tiny", "vit_b_16", "swin_t"
    ]
    stem: Literal["cifar", "imagenet"] = "cifar"
    """imagenet: as torchvision has them, for photographs of about 224×224. cifar: the same for
    images of about 32×32, which would else be one or two pixels wide after the first layers:
    ResNets begin with a 3×3 convolution of stride 1 and no pooling, MobileNetV2 halves the image
    twice less, ConvNeXt and Swin take patches of 2×2 instead of 4×4 (Swin in windows of 4×4, not
    7×7), ViT patches of 4×4 instead of 16×16."""


class Timm(Section):
    """Any image classifier of the package timm with random weights, for instance
    `timm:inception_resnet_v2`, which the authors train on WebVision."""

    name: Annotated[str, Field(pattern=r"^timm:")]


Model = Annotated[
    SmallCnn | LeNet | Cnn6 | PreactResNet18 | PreactResNet34 | Torchvision,
    Field(discriminator="name"),
]
"""Those with names of their own; `timm:NAME` and `FILE.py:CLASS` are recognised in
trainable/config/custom_code.py."""


def missing_package(name: str) -> str | None:
    """A sentence about the package that the network `name` needs, if it is not installed."""
    if name.startswith("timm:") and find_spec("timm") is None:
        return f"model.name: `{name}` needs a package: pip install 'dividemix-orchestrator[timm]'"
    return None
