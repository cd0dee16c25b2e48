"""PreAct ResNets as in the authors' `PreResNet.py` (github.com/LiJunnan1992/DivideMix)."""

import torch
import torch.nn.functional as F
from torch import nn

from trainable.errors import DataError


class _PreactBlock(nn.Module):
    """Pre-activation block as in the authors' `PreResNet.py`: every shortcut carries the
    *activated* input."""

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


class PreactResNet(nn.Module):
    """The authors' variant: BatchNorm and ReLU after the stem, none before the pooling.

    `depths` are the numbers of blocks of 64, 128, 256 and 512 channels; `name` is for the message.
    Raises DataError.
    """

    def __init__(
        self,
        name: str,
        depths: tuple[int, int, int, int],
        shape: tuple[int, int, int],
        classes: int,
    ):
        super().__init__()
        if (
            min(shape[1:]) < 9
        ):  # smaller ones end in 1×1 maps, where BatchNorm cannot train on a batch of one image
            raise DataError(
                f"{name} takes images of at least 9×9 pixels; these are {shape[1]}×{shape[2]}"
            )
        blocks: list[nn.Module] = []
        inner = 64
        for depth, outer, stride in zip(depths, (64, 128, 256, 512), (1, 2, 2, 2), strict=True):
            blocks += [
                _PreactBlock(inner, outer, stride),
                *(_PreactBlock(outer, outer, 1) for _ in range(depth - 1)),
            ]
            inner = outer
        self.stem = nn.Sequential(
            nn.Conv2d(shape[0], 64, 3, 1, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True)
        )
        self.blocks = nn.Sequential(*blocks)
        self.linear = nn.Linear(512, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits (batch, classes)."""
        maps = self.blocks(self.stem(x))
        return self.linear(F.adaptive_avg_pool2d(maps, 1).flatten(1))
