"""torchvision's networks, optionally with first layers for small or grey images."""

import difflib
import math
from collections.abc import Callable
from typing import cast

import torch
import torchvision
from torch import nn
from torchvision import models

from trainable.config.models import Torchvision
from trainable.errors import DataError

Initialise = Callable[[torch.Tensor], object]


def torchvision_network(model: Torchvision, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build the network for images of `shape` (channels, h, w).

    Raises:
        DataError: the network cannot process images of this size.
    """
    match model.name:
        case "mobilenet_v2":
            return _mobilenet_v2(model.stem, shape, classes)
        case "convnext_tiny":
            return _convnext_tiny(model.stem, shape, classes)
        case "vit_b_16":
            return _vit_b_16(model.stem, shape, classes)
        case "swin_t":
            return _swin_t(model.stem, shape, classes)
        case _:
            return _resnet(model.name, model.stem, shape, classes)


def published_network(
    name: str,
) -> tuple[nn.Module, int, tuple[float, ...], tuple[float, ...]]:
    """Return a classifier of torchvision with random weights, and what images it was made for.

    Returns:
        The network for 3 channels; side of the images, pixels; mean and standard deviation per
        channel that they are normalised by, of pixels in [0, 1].

    Raises:
        DataError: torchvision has no such classifier.
    """
    known = models.list_models(module=models)
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean `{close[0]}`?" if close else f"; it has {', '.join(known)}"
        raise DataError(f"torchvision {torchvision.__version__} has no classifier `{name}`{hint}")
    options = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}
    network = models.get_model(name, weights=None, **options)
    images = models.get_model_weights(name).DEFAULT.transforms()
    return network, images.crop_size[0], tuple(images.mean), tuple(images.std)


def _resnet(name: str, stem: str, shape: tuple[int, int, int], classes: int) -> nn.Module:
    network = getattr(models, name)(num_classes=classes)
    if stem == "cifar":
        network.conv1 = _first(network.conv1, shape, 3, 1, _he)
        network.maxpool = nn.Identity()
    else:
        network.conv1 = _first(network.conv1, shape, 7, 2, _he)
    return cast(nn.Module, network)


def _mobilenet_v2(stem: str, shape: tuple[int, int, int], classes: int) -> nn.Module:
    stride = 1 if stem == "cifar" else 2  # of the first layer and of the second stage
    # Expansion, channels, blocks and stride of each stage, as in the paper's table 2.
    stages = [
        [1, 16, 1, 1],
        [6, 24, 2, stride],
        [6, 32, 3, 2],
        [6, 64, 4, 2],
        [6, 96, 3, 1],
        [6, 160, 3, 2],
        [6, 320, 1, 1],
    ]
    network = models.mobilenet_v2(num_classes=classes, inverted_residual_setting=stages)
    network.features[0][0] = _first(network.features[0][0], shape, 3, stride, _he)
    return cast(nn.Module, network)


def _convnext_tiny(stem: str, shape: tuple[int, int, int], classes: int) -> nn.Module:
    patch = 2 if stem == "cifar" else 4
    if min(shape[1:]) < 8 * patch:  # halved three times after the patches
        raise DataError(
            f"convnext_tiny with `stem: {stem}` takes images of at least {8 * patch}×{8 * patch} "
            "pixels; "
            f"these are {shape[1]}×{shape[2]}"
        )
    network = models.convnext_tiny(num_classes=classes)
    network.features[0][0] = _first(
        network.features[0][0],
        shape,
        patch,
        patch,
        lambda weight: nn.init.trunc_normal_(weight, std=0.02),
    )
    return cast(nn.Module, network)


def _vit_b_16(stem: str, shape: tuple[int, int, int], classes: int) -> nn.Module:
    channels, height, width = shape
    patch = 4 if stem == "cifar" else 16
    if height != width or height % patch:
        raise DataError(
            f"vit_b_16 with `stem: {stem}` takes square images whose side is a multiple of {patch} "
            "pixels; "
            f"these are {height}×{width}"
        )
    network = models.VisionTransformer(height, patch, 12, 12, 768, 3072, num_classes=classes)
    std = math.sqrt(1 / (channels * patch**2))
    network.conv_proj = _first(
        network.conv_proj,
        shape,
        patch,
        patch,
        lambda weight: nn.init.trunc_normal_(weight, std=std),
    )
    return cast(nn.Module, network)


def _swin_t(stem: str, shape: tuple[int, int, int], classes: int) -> nn.Module:
    patch, window = (2, 4) if stem == "cifar" else (4, 7)
    network = models.SwinTransformer(
        [patch, patch],
        96,
        [2, 2, 6, 2],
        [3, 6, 12, 24],
        [window, window],
        stochastic_depth_prob=0.2,
        num_classes=classes,
    )
    network.features[0][0] = _first(
        network.features[0][0], shape, patch, patch, lambda weight: None
    )
    return cast(nn.Module, network)


def _first(
    old: nn.Conv2d, shape: tuple[int, int, int], kernel: int, stride: int, initialise: Initialise
) -> nn.Conv2d:
    """Return the first layer; a new one if channels, kernel or stride differ from the old one."""
    same_kernel = old.kernel_size == (kernel, kernel) and old.stride == (stride, stride)
    if same_kernel and old.in_channels == shape[0]:
        return old
    padding = 0 if kernel == stride else kernel // 2  # patches do not overlap
    new = nn.Conv2d(shape[0], old.out_channels, kernel, stride, padding, bias=old.bias is not None)
    initialise(new.weight)
    return new


def _he(weight: torch.Tensor) -> torch.Tensor:
    return nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")
