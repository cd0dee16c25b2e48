"""Networks by name. Each takes (batch, channels, h, w) and returns logits (batch, classes)."""

import torch
import torch.nn.functional as F
from torch import nn

from trainable.config import Model, PreactResNet18, SmallCnn
from trainable.errors import DataError


def build(model: Model, shape: tuple[int, int, int], classes: int, seed: int) -> nn.Module:
    """A freshly initialised network for images of `shape` (channels, h, w).

    torch's layers draw their first weights from the global generator; it is seeded inside a fork and left as it was.
    """
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        match model:
            case SmallCnn():
                return _SmallCnn(model.width, shape, classes)
            case PreactResNet18():
                return _PreactResNet18(shape, classes)


class _SmallCnn(nn.Sequential):
    """3×3 convolutions of stride 2 until the map is at most 2 pixels wide, then two linear layers.

    Strided convolutions instead of pooling: max-pooling was a third of a step on a CPU.
    """

    def __init__(self, width: int, shape: tuple[int, int, int], classes: int):
        channels, height, side = shape
        if not 8 <= min(height, side) <= max(height, side) <= 64:
            raise DataError(f"small_cnn takes images of 8×8 to 64×64 pixels; these are {height}×{side}")
        layers: list[nn.Module] = []
        out = width
        while max(height, side) > 2:
            layers += [nn.Conv2d(channels, out, 3, 2, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)]
            channels, out = out, min(2 * out, 4 * width)
            height, side = (height + 1) // 2, (side + 1) // 2
        hidden = 2 * width
        layers += [nn.Flatten(), nn.Linear(channels * height * side, hidden), nn.ReLU(inplace=True)]
        super().__init__(*layers, nn.Linear(hidden, classes))


class _PreactBlock(nn.Module):
    """Pre-activation block as in the authors' `PreResNet.py`: every shortcut carries the *activated* input."""

    def __init__(self, inner: int, outer: int, stride: int):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        resized = stride != 1 or inner != outer
        self.shortcut = nn.Conv2d(inner, outer, 1, stride, bias=False) if resized else nn.Identity()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        active = F.relu(self.bn1(x))
        return self.conv2(F.relu(self.bn2(self.conv1(active)))) + self.shortcut(active)


class _PreactResNet18(nn.Module):
    """The authors' variant: BatchNorm and ReLU after the stem, none before the pooling."""

    def __init__(self, shape: tuple[int, int, int], classes: int):
        super().__init__()
        if min(shape[1:]) < 9:  # smaller ones end in 1×1 maps, where BatchNorm cannot train on a batch of one image
            raise DataError(f"preact_resnet18 takes images of at least 9×9 pixels; these are {shape[1]}×{shape[2]}")
        blocks: list[nn.Module] = []
        inner = 64
        for outer, stride in ((64, 1), (128, 2), (256, 2), (512, 2)):
            blocks += [_PreactBlock(inner, outer, stride), _PreactBlock(outer, outer, 1)]
            inner = outer
        self.stem = nn.Sequential(
            nn.Conv2d(shape[0], 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)
        )
        self.blocks = nn.Sequential(*blocks)
        self.linear = nn.Linear(512, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        maps = self.blocks(self.stem(x))
        return self.linear(F.adaptive_avg_pool2d(maps, 1).flatten(1))
