"""Build networks by name, which map a batch of inputs to logits (batch, classes).

Inputs are images (batch, channels, h, w) or embeddings (batch, features).
"""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainable.config.custom_code import Own
from trainable.config.models import (
    Cnn6,
    ImageModel,
    LeNet,
    Linear,
    Mlp,
    Model,
    PreactResNet18,
    PreactResNet34,
    SmallCnn,
    Timm,
    Torchvision,
)
from trainable.errors import DataError
from trainable.models.multilayer import linear, mlp
from trainable.models.plain import cnn6, lenet, small_cnn
from trainable.models.preact_resnet import PreactResNet


def build(model: Model | Timm | Own, shape: tuple[int, ...], classes: int, seed: int) -> nn.Module:
    """Build a network with initial weights for inputs of `shape`.

    The shape is (channels, h, w) of images, and (features,) of embeddings.

    torch's layers draw initial weights from the global generator. It is seeded with `seed`, and its
    state is restored afterwards.

    Raises:
        DataError: the network cannot be built, or cannot process such inputs.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        match model:
            case Mlp():
                return survives_one_image(mlp(model, shape, classes))
            case Linear():
                return linear(shape, classes)
            case Own():
                return _tried(
                    lambda: model.implementation(model, shape, classes), model.name, shape, classes
                )
            case _:
                if len(shape) != 3:
                    raise DataError(
                        f"{model.name} takes images; for feature vectors, use mlp or linear"
                    )
                return _image_network(model, shape, classes)


def _image_network(
    model: ImageModel | Timm, shape: tuple[int, int, int], classes: int
) -> nn.Module:
    """Build a network for images of `shape` (channels, h, w). Raises DataError as `build` does."""
    match model:
        case SmallCnn():
            return small_cnn(model.width, shape, classes)
        case LeNet():
            return lenet(shape, classes)
        case Cnn6():
            return cnn6(shape, classes)
        case PreactResNet18():
            return PreactResNet(model.name, (2, 2, 2, 2), shape, classes)
        case PreactResNet34():
            return PreactResNet(model.name, (3, 4, 6, 3), shape, classes)
        case Torchvision():
            # The import takes seconds, and most trials do not need it.
            from trainable.models.from_torchvision import torchvision_network

            return survives_one_image(torchvision_network(model, shape, classes))
        case Timm():
            from trainable.models.from_timm import timm_network

            return _tried(lambda: timm_network(model, shape, classes), model.name, shape, classes)


def survives_one_image(network: nn.Module) -> nn.Module:
    """Make BatchNorm use its running statistics for a batch of one image; return the network.

    The last batch of an epoch can have one image. On 1×1 maps its variance is undefined, and torch
    raises an error.
    """
    switched: list[nn.Module] = []

    def before(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if module.training and len(inputs[0]) == 1:
            switched.extend(
                norm for norm in module.modules() if isinstance(norm, _BatchNorm) and norm.training
            )
            for norm in switched:
                norm.eval()

    def after(module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        while switched:
            switched.pop().train()

    network.register_forward_pre_hook(before)
    network.register_forward_hook(after, always_call=True)
    return network


def _tried(
    make: Callable[[], nn.Module], name: str, shape: tuple[int, ...], classes: int
) -> nn.Module:
    """Build a network of other code, and check that two images give logits (2, classes).

    Raises:
        DataError: the network fails, or its logits have another shape.
    """
    what = f"vectors of {shape[0]} features"
    if len(shape) == 3:
        what = f"images of {shape[1]}×{shape[2]} pixels and {shape[0]} channels"
    try:
        network = make()
        with torch.no_grad():
            logits = network.eval()(torch.zeros(2, *shape))
    except DataError:
        raise
    except Exception as error:  # other code can raise any type
        raise DataError(
            f"{name} cannot be used for {what}: {type(error).__name__}: {error}"
        ) from error
    if getattr(logits, "shape", None) != (2, classes):
        given = getattr(logits, "shape", type(logits).__name__)
        raise DataError(
            f"{name} should return logits of shape (batch, {classes}); for 2 {what} it "
            f"returns {given}"
        )
    return survives_one_image(network.train())
