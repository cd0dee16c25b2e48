"""Fields of the networks, by name. Imports pydantic only."""

from importlib.util import find_spec
from typing import Annotated, Literal

from pydantic import Field

from trainable.config.base import Section


class SmallCnn(Section):
    """Strided 3×3 convolutions down to 2×2, then two linear layers.

    It has 36,010 parameters for the digits at width 32.
    """

    name: Literal["small_cnn"] = "small_cnn"
    width: Annotated[int, Field(ge=4, le=512)] = 32
    """Channels of the first convolution; later ones have up to four times as many."""


class LeNet(Section):
    """The small network of the COMP6248 report, from PyTorch's CIFAR-10 tutorial.

    It has two 5×5 convolutions, three linear layers and no BatchNorm, and 62,006 parameters for
    CIFAR-10. Images need at least 16×16 pixels.
    """

    name: Literal["lenet"] = "lenet"


class Cnn6(Section):
    """JoCoR's network (`model/cnn.py` of github.com/hongxin001/JoCoR).

    It has six 3×3 convolutions of 64, 64, 128, 128, 196 and 16 channels, each with BatchNorm, one
    linear layer, and 518,150 parameters for CIFAR-10. Images need at least 8×8 pixels.
    """

    name: Literal["cnn6"] = "cnn6"


class PreactResNet18(Section):
    """The authors' PreAct ResNet-18 for 32×32 images; 11,171,274 parameters for 10 classes."""

    name: Literal["preact_resnet18"] = "preact_resnet18"


class PreactResNet34(Section):
    """PreAct ResNet with 3, 4, 6 and 3 blocks instead of 2, 2, 2 and 2.

    `ResNet34` of the authors' file has other blocks.
    """

    name: Literal["preact_resnet34"] = "preact_resnet34"


class Torchvision(Section):
    """torchvision's networks with random weights.

    Initialisation, dropout and stochastic depth are those of torchvision.
    """

    name: Literal[
        "resnet18", "resnet34", "resnet50", "mobilenet_v2", "convnext_tiny", "vit_b_16", "swin_t"
    ]
    stem: Literal["cifar", "imagenet"] = "cifar"
    """First layers. imagenet: those of torchvision, for photographs of about 224×224. cifar:
    variants for images of about 32×32, which the imagenet stem would reduce to one or two pixels.
    ResNets start with a 3×3 convolution of stride 1 and no pooling. MobileNetV2 halves the image
    two times less. ConvNeXt and Swin use patches of 2×2 instead of 4×4, and Swin uses windows of
    4×4 instead of 7×7. ViT uses patches of 4×4 instead of 16×16."""


class Mlp(Section):
    """Linear layers with ReLU between them, for embeddings; images are flattened.

    The last hidden layer's activations are the features of the network.
    """

    name: Literal["mlp"] = "mlp"
    depth: Annotated[int, Field(ge=1, le=16)] = 2
    """Number of hidden layers."""
    width: Annotated[int, Field(ge=1, le=8192)] = 256
    """Units of each hidden layer."""
    norm: Literal["none", "batch", "layer"] = "batch"
    """Normalisation before each ReLU. batch: BatchNorm; layer: LayerNorm."""
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Probability that a hidden unit is dropped in training; 0: off."""


class Linear(Section):
    """One linear layer, for embeddings; images are flattened."""

    name: Literal["linear"] = "linear"


class Timm(Section):
    """Any image classifier of the package timm with random weights.

    An example is `timm:inception_resnet_v2`, which the authors train on WebVision.
    """

    name: Annotated[str, Field(pattern=r"^timm:")]


ImageModel = SmallCnn | LeNet | Cnn6 | PreactResNet18 | PreactResNet34 | Torchvision
"""Networks with a fixed name that take images only."""
Model = Annotated[ImageModel | Mlp | Linear, Field(discriminator="name")]
"""Networks with a fixed name; `TrialConfig` also accepts `timm:NAME` and `FILE.py:CLASS`."""


def missing_package(name: str) -> str | None:
    """Return a message if the network `name` needs a package that is not installed, else None."""
    if name.startswith("timm:") and find_spec("timm") is None:
        return f"model.name: `{name}` needs a package: pip install 'dividemix-orchestrator[timm]'"
    return None
