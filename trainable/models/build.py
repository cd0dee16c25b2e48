"""Networks by name. Each takes (batch, channels, h, w) and returns logits (batch, classes)."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from trainable.config.custom_code import Own
from trainable.config.models import (
    Cnn6,
    LeNet,
    Model,
    PreactResNet18,
    PreactResNet34,
    SmallCnn,
    Timm,
    Torchvision,
)
from trainable.errors import DataError
from trainable.models.plain import cnn6, lenet, small_cnn
from trainable.models.preact_resnet import PreactResNet


def build(
    model: Model | Timm | Own, shape: tuple[int, int, int], classes: int, seed: int
) -> nn.Module:
    """A freshly initialised network for images of `shape` (channels, h, w).

    torch's layers draw their first weights from the global generator; it is seeded inside a fork
    and left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
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
                from trainable.models.from_torchvision import (
                    torchvision_network,
                )  # seconds, where it is not needed

                return survives_one_image(torchvision_network(model, shape, classes))
            case Own():
                return _tried(
                    lambda: model.implementation(model, shape, classes), model.name, shape, classes
                )
            case Timm():
                from trainable.models.from_timm import timm_network

                return _tried(
                    lambda: timm_network(model, shape, classes), model.name, shape, classes
                )


def survives_one_image(network: nn.Module) -> nn.Module:
    """The network, whose BatchNorm normalises a batch of one image by its running statistics.

    The last batch of an epoch may hold one image, and on 1×1 maps its variance does not exist:
    torch refuses it.
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
    make: Callable[[], nn.Module], name: str, shape: tuple[int, int, int], classes: int
) -> nn.Module:
    """Somebody else's network, if it makes (2, classes) logits of two images. Raises DataError."""
    what = f"{shape[1]}×{shape[2]} pixels and {shape[0]} channels"
    try:
        network = make()
        with torch.no_grad():
            logits = network.eval()(torch.zeros(2, *shape))
    except DataError:
        raise
    except Exception as error:  # whatever somebody's network raises
        raise DataError(
            f"{name} cannot be used for images of {what}: {type(error).__name__}: {error}"
        ) from error
    if getattr(logits, "shape", None) != (2, classes):
        given = getattr(logits, "shape", type(logits).__name__)
        raise DataError(
            f"{name} should return logits of shape (batch, {classes}); for 2 images of {what} it "
            f"gave {given}"
        )
    return survives_one_image(network.train())
