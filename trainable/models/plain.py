"""Small networks without shortcuts: ours, the COMP6248 report's, JoCoR's."""

from torch import nn

from trainable.errors import DataError


def small_cnn(width: int, shape: tuple[int, int, int], classes: int) -> nn.Module:
    """3×3 convolutions of stride 2 until the map is at most 2 pixels wide, then two linear layers.

    Strided convolutions instead of pooling: max-pooling was a third of a step on a CPU. Raises
    DataError.
    """
    channels, height, side = shape
    if not 8 <= min(height, side) <= max(height, side) <= 64:
        raise DataError(f"small_cnn takes images of 8×8 to 64×64 pixels; these are {height}×{side}")
    layers: list[nn.Module] = []
    out = width
    while max(height, side) > 2:
        layers += [
            nn.Conv2d(channels, out, 3, 2, 1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
        ]
        channels, out = out, min(2 * out, 4 * width)
        height, side = (height + 1) // 2, (side + 1) // 2
    hidden = 2 * width
    layers += [nn.Flatten(), nn.Linear(channels * height * side, hidden), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Linear(hidden, classes))


def lenet(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Two 5×5 convolutions, each with ReLU and 2×2 max-pooling, and linear layers of 120, 84 and
    `classes` units.

    Raises DataError for images below 16×16, of which nothing would be left.
    """
    channels, height, width = shape
    _at_least(16, "lenet", shape)
    rows, columns = (((side - 4) // 2 - 4) // 2 for side in (height, width))
    layers: list[nn.Module] = []
    for inner, outer in ((channels, 6), (6, 16)):
        layers += [nn.Conv2d(inner, outer, 5), nn.ReLU(inplace=True), nn.MaxPool2d(2)]
    layers.append(nn.Flatten())
    for inner, outer in ((16 * rows * columns, 120), (120, 84)):
        layers += [nn.Linear(inner, outer), nn.ReLU(inplace=True)]
    return nn.Sequential(*layers, nn.Linear(84, classes))


def cnn6(shape: tuple[int, int, int], classes: int) -> nn.Module:
    """Six 3×3 convolutions with BatchNorm and ReLU, 2×2 max-pooling after every second, one linear
    layer.

    Raises DataError for images below 8×8: a network must be able to train on a batch of one image,
    and BatchNorm cannot on a 1×1 map.
    """
    channels, height, width = shape
    _at_least(8, "cnn6", shape)
    layers: list[nn.Module] = []
    for first, second in ((64, 64), (128, 128), (196, 16)):
        for outer in (first, second):
            layers += [
                nn.Conv2d(channels, outer, 3, padding=1),
                nn.BatchNorm2d(outer),
                nn.ReLU(inplace=True),
            ]
            channels = outer
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(
        *layers, nn.Flatten(), nn.Linear(16 * (height // 8) * (width // 8), classes)
    )


def _at_least(side: int, name: str, shape: tuple[int, int, int]) -> None:
    if min(shape[1:]) < side:
        raise DataError(
            f"{name} takes images of at least {side}×{side} pixels; these are {shape[1]}×{shape[2]}"
        )
