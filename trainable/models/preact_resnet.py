"""PreAct ResNets as in the authors' `PreResNet.py` (github.com/LiJunnan1992/DivideMix)."""

import torch
import torch.nn.functional as F
from torch import nn

from trainable.errors import DataError


class _PreactBlock(nn.Module):
    """Pre-activation block of the authors' `PreResNet.py`: shortcuts take the *activated* input."""

    def __init__(self, inner: int, outer: int, stride: int):
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inner)
        self.conv1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(outer)
        self.conv2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or inner != outer:
            self.shortcut = nn.Conv2d(inner, outer, 1, stride, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        active = F.relu(self.bn1(x))
        middle = F.relu(self.bn2(self.conv1(active)))
        result: torch.Tensor = self.conv2(middle) + self.shortcut(active)
        return result


class PreactResNet(nn.Module):
    """The authors' variant: BatchNorm and ReLU after the stem, none before the pooling.

    Args:
        name: name of the network in messages.
        depths: numbers of blocks with 64, 128, 256 and 512 channels.
        shape: (channels, h, w) of the images.
        classes: number of classes.

    Raises:
        DataError: images are smaller than 9×9 pixels.
    """

    def __init__(
        self,
        name: str,
        depths: tuple[int, int, int, int],
        shape: tuple[int, int, int],
        classes: int,
    ):
        super().__init__()
        # Smaller images end in 1×1 maps, where BatchNorm cannot train on a batch of one image.
        if min(shape[1:]) < 9:
            raise DataError(
                f"{name} takes images of at least 9×9 pixels; these are {shape[1]}×{shape[2]}"
            )
        blocks: list[nn.Module] = []
        inner = 64
        for depth, outer, stride in zip(depths, (64, 128, 256, 512), (1, 2, 2, 2), strict=True):
            blocks.append(_PreactBlock(inner, outer, stride))
            for _ in range(depth - 1):
                blocks.append(_PreactBlock(outer, outer, 1))
            inner = outer
        self.stem = nn.Sequential(
            nn.Conv2d(shape[0], 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)
        )
        self.blocks = nn.Sequential(*blocks)
        self.linear = nn.Linear(512, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Return logits (batch, classes) of images (batch, channels, h, w)."""
        maps = self.blocks(self.stem(x))
        features = F.adaptive_avg_pool2d(maps, 1).flatten(1)
        logits: torch.Tensor = self.linear(features)
        return logits
