"""Augmented views of images in memory; one gather crops and flips a whole batch."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

BLOCK = 4096
"""Crops that are drawn at a time. It determines the crops of a seed, so it is the same on all
machines."""
AREA = (0.08, 1.0)
RATIO = (3 / 4, 4 / 3)
TRIES = 10
"""torchvision's defaults for `RandomResizedCrop`."""


@dataclass(frozen=True)
class Crops:
    """Random crops of n images, as the pixels that they take from the padded images."""

    rows: torch.Tensor
    """(n, h), int64."""
    columns: torch.Tensor
    """(n, w), int64; descending where a crop is flipped."""

    def __getitem__(self, part: slice) -> "Crops":
        return Crops(self.rows[part], self.columns[part])


class DrawnAhead:
    """Crops in the order in which they are drawn, `BLOCK` at a time.

    The crops of a batch take as many calls as those of an epoch, and more time than to apply them.

    Args:
        draw: draws n crops.
        rng: the generator that `draw` uses.
    """

    def __init__(self, draw: Callable[[int], Crops], rng: torch.Generator):
        self.rng = rng
        self._draw = draw
        self._left = draw(0)

    def next(self, n: int) -> Crops:
        """Return the next n crops."""
        while len(self._left.rows) < n:
            drawn = self._draw(BLOCK)
            rows = torch.cat([self._left.rows, drawn.rows])
            self._left = Crops(rows, torch.cat([self._left.columns, drawn.columns]))
        taken = self._left[:n]
        self._left = self._left[n:]
        return taken


def draw_crops(
    n: int,
    size: tuple[int, int],
    padding: int,
    probability: float,
    flip: bool,
    rng: torch.Generator,
    side: int | None = None,
    device: torch.device | str = "cpu",
) -> Crops:
    """Draw n random crops.

    Args:
        n: number of crops.
        size: height and width of the images with their padding, pixels.
        padding: zeros on each side, pixels, as in torchvision's RandomCrop.
        probability: probability of a random crop; other crops are central.
        flip: whether each crop is flipped left-right with probability 1/2.
        rng: generator on `device`.
        side: height and width of the crops; None: those of the images before padding.
        device: device of the crops.
    """
    if side is None:
        height = size[0] - 2 * padding
        width = size[1] - 2 * padding
        centre = torch.full((2, 1), padding, device=device)
        offset = torch.randint(0, 2 * padding + 1, (2, n), generator=rng, device=device)
    else:
        height = side
        width = side
        centre, offset = _square_offsets(size, n, side, rng, device)
    if probability < 1:
        shifted = torch.rand(n, generator=rng, device=device) < probability
        offset = torch.where(shifted, offset, centre)
    rows = offset[0, :, None] + torch.arange(height, device=device)
    columns = torch.arange(width, device=device).expand(n, width)
    if flip:
        mirrored = torch.rand(n, generator=rng, device=device) < 0.5
        columns = torch.where(mirrored[:, None], width - 1 - columns, columns)
    return Crops(rows, columns + offset[1, :, None])


def _square_offsets(
    size: tuple[int, int], n: int, side: int, rng: torch.Generator, device: torch.device | str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return central (2, 1) and random (2, n) offsets of squares of `side` pixels."""
    centres = []
    offsets = []
    for extent in size:
        spare = extent - side
        # A tensor that is built from a list would wait for the device.
        centres.append(torch.full((1,), spare // 2, device=device))
        offsets.append(torch.randint(0, spare + 1, (n,), generator=rng, device=device))
    return torch.stack(centres), torch.stack(offsets)


def cropped(padded: torch.Tensor, index: torch.Tensor, crops: Crops) -> torch.Tensor:
    """Return crops (batch, h, w, channels) of the images at `index` (batch,).

    `padded` has uint8 images, (n, height, width, channels), with zeros around them. One index per
    pixel is several times as fast as one index for each of three axes.
    """
    full_height, full_width, channels = padded.shape[1:]
    lines = index[:, None] * full_height + crops.rows
    pixels = lines[:, :, None] * full_width + crops.columns[:, None, :]
    chosen = padded.flatten(0, 2).index_select(0, pixels.flatten())
    return chosen.view(len(index), crops.rows.shape[1], crops.columns.shape[1], channels)


def resized_crop(
    images: torch.Tensor,
    index: torch.Tensor,
    size: tuple[int, int],
    flip: bool,
    rng: torch.Generator,
) -> torch.Tensor:
    """Return random parts of the images at `index`, scaled to `size` (bilinear).

    As in torchvision's `RandomResizedCrop`, a part has 8 to 100 % of the area and an aspect ratio
    of 3:4 to 4:3. It is the whole image if ten tries do not fit.

    Args:
        images: (n, h, w, channels), uint8.
        index: (batch,) positions in `images`.
        size: (height, width) of the result.
        flip: whether each part is flipped left-right with probability 1/2.
        rng: generator on the device of `images`.

    Returns:
        (batch, *size, channels), uint8.
    """
    batch = len(index)
    height, width = images.shape[1:3]
    draw = torch.rand(4, batch, TRIES, generator=rng, device=images.device)
    wide, high, first = _part_sizes(draw, height, width)
    left = (draw[2].gather(1, first) * (width - wide + 1)).floor()
    top = (draw[3].gather(1, first) * (height - high + 1)).floor()
    # Centres of the new pixels: first as shares of the part, then from −1 to 1 over the image.
    down = (torch.arange(size[0], device=images.device) + 0.5) / size[0]
    right = (torch.arange(size[1], device=images.device) + 0.5) / size[1]
    rows = (top + high * down) / height * 2 - 1
    columns = (left + wide * right) / width * 2 - 1
    if flip:
        mirrored = torch.rand(batch, generator=rng, device=images.device) < 0.5
        columns = torch.where(mirrored[:, None], columns.flip(1), columns)
    grid = torch.stack(
        [columns[:, None].expand(-1, size[0], -1), rows[:, :, None].expand(-1, -1, size[1])], dim=-1
    )
    pixels = images[index].permute(0, 3, 1, 2).float()
    scaled = F.grid_sample(
        pixels, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return scaled.round().to(torch.uint8).permute(0, 2, 3, 1)


def _part_sizes(
    draw: torch.Tensor, height: int, width: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the sizes of random parts, and the index of the try of each.

    Args:
        draw: (2 or more, batch, tries) uniform numbers, for the area and the aspect ratio.
        height, width: size of the images, pixels.

    Returns:
        (width, height, index of the first try that fits into the image), each (batch, 1). The size
        is that of the whole image if no try fits.
    """
    area = height * width * (AREA[0] + (AREA[1] - AREA[0]) * draw[0])
    ratio = torch.exp(math.log(RATIO[0]) + (math.log(RATIO[1]) - math.log(RATIO[0])) * draw[1])
    wide = (area * ratio).sqrt().round()
    high = (area / ratio).sqrt().round()
    fits = (wide <= width) & (high <= height)
    first = fits.int().argmax(1, keepdim=True)
    none = ~fits.any(1, keepdim=True)
    wide = wide.gather(1, first).masked_fill(none, width)
    high = high.gather(1, first).masked_fill(none, height)
    return wide, high, first
