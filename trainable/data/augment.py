"""Augmented views of images in memory; one gather crops and flips a whole batch."""

import math

import torch
import torch.nn.functional as F

AREA = (0.08, 1.0)
RATIO = (3 / 4, 4 / 3)
TRIES = 10
"""torchvision's defaults for `RandomResizedCrop`."""


def crop_and_flip(
    padded: torch.Tensor,
    index: torch.Tensor,
    padding: int,
    probability: float,
    flip: bool,
    rng: torch.Generator,
    side: int | None = None,
) -> torch.Tensor:
    """Return random crops of the images at `index`.

    Args:
        padded: (n, h + 2·padding, w + 2·padding, channels), uint8, images with zeros around them,
            as in torchvision's RandomCrop.
        index: (batch,) positions in `padded`.
        padding: zeros on each side, pixels.
        probability: probability of a random crop; other crops are central.
        flip: whether each crop is flipped left-right with probability 1/2.
        rng: generator on the device of `padded`.
        side: height and width of the crops; None: those of the images before padding.

    Returns:
        (batch, h, w, channels), uint8.
    """
    height = padded.shape[1] - 2 * padding
    width = padded.shape[2] - 2 * padding
    if side is None:
        centre = torch.full((2, 1), padding, device=padded.device)
        shape = (2, len(index))
        offset = torch.randint(0, 2 * padding + 1, shape, generator=rng, device=padded.device)
    else:
        height = side
        width = side
        centre, offset = _square_offsets(padded, len(index), side, rng)
    if probability < 1:
        shifted = torch.rand(len(index), generator=rng, device=padded.device) < probability
        offset = torch.where(shifted, offset, centre)
    rows = offset[0, :, None] + torch.arange(height, device=padded.device)
    columns = torch.arange(width, device=padded.device).expand(len(index), width)
    if flip:
        mirrored = torch.rand(len(index), generator=rng, device=padded.device) < 0.5
        columns = torch.where(mirrored[:, None], width - 1 - columns, columns)
    columns = columns + offset[1, :, None]
    return _gathered(padded, index, rows, columns)


def _square_offsets(
    padded: torch.Tensor, batch: int, side: int, rng: torch.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return central (2, 1) and random (2, batch) offsets of squares of `side` pixels."""
    device = padded.device
    centres = []
    offsets = []
    for extent in padded.shape[1:3]:
        spare = extent - side
        # A tensor that is built from a list would wait for the device.
        centres.append(torch.full((1,), spare // 2, device=device))
        offsets.append(torch.randint(0, spare + 1, (batch,), generator=rng, device=device))
    return torch.stack(centres), torch.stack(offsets)


def _gathered(
    padded: torch.Tensor, index: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor
) -> torch.Tensor:
    """Return pixels (batch, h, w, channels) at `rows` (batch, h) and `columns` (batch, w).

    One index per pixel is several times as fast as one index for each of three axes.
    """
    full_height, full_width, channels = padded.shape[1:]
    lines = index[:, None] * full_height + rows
    pixels = lines[:, :, None] * full_width + columns[:, None, :]
    chosen = padded.flatten(0, 2).index_select(0, pixels.flatten())
    return chosen.view(len(index), rows.shape[1], columns.shape[1], channels)


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
