"""Small networks without shortcuts: `small_cnn`, the COMP6248 report's, JoCoR's."""

from torch import nn

from trainable.errors import DataError


def small_cnn(width: int, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build 3×3 convolutions of stride 2 down to maps of at most 2×2, then two linear layers.

    Strided convolutions replace max-pooling, which took a third of a step's time on a CPU.

    Raises:
        DataError: images are smaller than 8×8 or larger than 64×64 pixels.
    """
    channels, height, side = shape
    if not 8 <= min(height, side) <= max(height, side) <= 64:
        raise DataError(f"small_cnn takes images of 8×8 to 64×64 pixels; these are {height}×{side}")
    layers: list[nn.Module] = []
    out = width
    while max(height, side) > 2:
        layers.append(nn.Conv2d(channels, out, 3, 2, 1, bias=False))
        layers.append(nn.BatchNorm2d(out))
        layers.append(nn.ReLU(inplace=True))
        channels = out
        out = min(2 * out, 4 * width)
        height = (height + 1) // 2
        side = (side + 1) // 2
    hidden = 2 * width
    layers.append(nn.Flatten())
    layers.append(nn.Linear(channels * height * side, hidden))
    layers.append(nn.ReLU(inplace=True))
    layers.append(nn.Linear(hidden, classes))
    return nn.Sequential(*layers)


def lenet(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build two 5×5 convolutions with ReLU and 2×2 max-pooling, and three linear layers.

    The linear layers have 120, 84 and `classes` units.

    Raises:
        DataError: images are smaller than 16×16 pixels; their last maps would be empty.
    """
    channels, height, width = shape
    _at_least(16, "lenet", shape)
    layers: list[nn.Module] = []
    for inner, outer in ((channels, 6), (6, 16)):
        layers.append(nn.Conv2d(inner, outer, 5))
        layers.append(nn.ReLU(inplace=True))
        layers.append(nn.MaxPool2d(2))
    layers.append(nn.Flatten())
    features = 16 * _lenet_side(height) * _lenet_side(width)
    for inner, outer in ((features, 120), (120, 84)):
        layers.append(nn.Linear(inner, outer))
        layers.append(nn.ReLU(inplace=True))
    layers.append(nn.Linear(84, classes))
    return nn.Sequential(*layers)


def _lenet_side(side: int) -> int:
    """Return the side of the last map; a 5×5 convolution removes 4 pixels, and pooling halves."""
    after_first = (side - 4) // 2
    return (after_first - 4) // 2


def cnn6(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Build six 3×3 convolutions with BatchNorm and ReLU, and one linear layer.

    2×2 max-pooling follows every second convolution.

    Raises:
        DataError: images are smaller than 8×8 pixels. BatchNorm cannot train on a batch of one
            image with 1×1 maps.
    """
    channels, height, width = shape
    _at_least(8, "cnn6", shape)
    layers: list[nn.Module] = []
    for first, second in ((64, 64), (128, 128), (196, 16)):
        for outer in (first, second):
            layers.append(nn.Conv2d(channels, outer, 3, padding=1))
            layers.append(nn.BatchNorm2d(outer))
            layers.append(nn.ReLU(inplace=True))
            channels = outer
        layers.append(nn.MaxPool2d(2))
    layers.append(nn.Flatten())
    layers.append(nn.Linear(16 * (height // 8) * (width // 8), classes))
    return nn.Sequential(*layers)


def _at_least(side: int, name: str, shape: tuple[int, int, int]) -> None:
    if min(shape[1:]) < side:
        raise DataError(
            f"{name} takes images of at least {side}×{side} pixels; these are {shape[1]}×{shape[2]}"
        )
