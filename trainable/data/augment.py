"""Views of images in memory: one gather crops and flips a whole batch."""

import math

import torch
import torch.nn.functional as F

AREA, RATIO, TRIES = (0.08, 1.0), (3 / 4, 4 / 3), 10
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
    """Random crops of the images at `index`, each flipped left-right with probability 1/2 if
    `flip`.

    Args:
        padded: (n, h + 2·padding, w + 2·padding, channels), uint8, zeros around the images as
            torchvision's RandomCrop.
        index: (batch,) positions in `padded`.
        probability: share of the images that are shifted at all; the others stay in the centre.
        rng: generator on the device of `padded`.
        side: height and width of the crops; None: the images' own before the padding.

    Returns:
        (batch, h, w, channels), uint8.
    """
    batch, device = len(index), padded.device
    height, width = padded.shape[1] - 2 * padding, padded.shape[2] - 2 * padding
    centre = torch.full((2, 1), padding, device=device)
    if side is None:
        offset = torch.randint(0, 2 * padding + 1, (2, batch), generator=rng, device=device)
    else:
        height, width, spare = side, side, [extent - side for extent in padded.shape[1:3]]
        centre = torch.stack(
            [torch.full((1,), s // 2, device=device) for s in spare]
        )  # a tensor of a list would wait
        offset = torch.stack(
            [torch.randint(0, s + 1, (batch,), generator=rng, device=device) for s in spare]
        )
    if probability < 1:
        shifted = torch.rand(batch, generator=rng, device=device) < probability
        offset = torch.where(shifted, offset, centre)
    rows = offset[0, :, None] + torch.arange(height, device=device)
    columns = torch.arange(width, device=device).expand(batch, width)
    if flip:
        mirrored = torch.rand(batch, generator=rng, device=device) < 0.5
        columns = torch.where(mirrored[:, None], width - 1 - columns, columns)
    columns = columns + offset[1, :, None]
    full_height, full_width, channels = padded.shape[1:]
    pixels = (index[:, None] * full_height + rows)[:, :, None] * full_width + columns[:, None, :]
    # One index a pixel is several times as fast as an index for each of three axes.
    return (
        padded.flatten(0, 2).index_select(0, pixels.flatten()).view(batch, height, width, channels)
    )


def resized_crop(
    images: torch.Tensor,
    index: torch.Tensor,
    size: tuple[int, int],
    flip: bool,
    rng: torch.Generator,
) -> torch.Tensor:
    """Random parts of the images at `index`, scaled to `size`, each flipped left-right with
    probability 1/2 if `flip`.

    A part has 8 to 100 % of the area and 3:4 to 4:3 sides, as torchvision's `RandomResizedCrop`
    draws it: ten tries, then the whole image. Scaling is bilinear.

    Args:
        images: (n, h, w, channels), uint8.
        index: (batch,) positions in `images`.
        size: (height, width) of the result.
        rng: generator on the device of `images`.

    Returns:
        (batch, *size, channels), uint8.
    """
    batch, device, (height, width) = len(index), images.device, images.shape[1:3]
    draw = torch.rand(4, batch, TRIES, generator=rng, device=device)
    area = height * width * (AREA[0] + (AREA[1] - AREA[0]) * draw[0])
    ratio = torch.exp(math.log(RATIO[0]) + (math.log(RATIO[1]) - math.log(RATIO[0])) * draw[1])
    wide, high = (area * ratio).sqrt().round(), (area / ratio).sqrt().round()
    fits = (wide <= width) & (high <= height)
    first = fits.int().argmax(1, keepdim=True)
    none = ~fits.any(1, keepdim=True)
    wide, high = (
        wide.gather(1, first).masked_fill(none, width),
        high.gather(1, first).masked_fill(none, height),
    )
    left = (draw[2].gather(1, first) * (width - wide + 1)).floor()
    top = (draw[3].gather(1, first) * (height - high + 1)).floor()
    # Of the new pixels' centres, as shares of the part; then from −1 to 1 over the image.
    down, right = ((torch.arange(extent, device=device) + 0.5) / extent for extent in size)
    rows, columns = (top + high * down) / height * 2 - 1, (left + wide * right) / width * 2 - 1
    if flip:
        mirrored = torch.rand(batch, generator=rng, device=device) < 0.5
        columns = torch.where(mirrored[:, None], columns.flip(1), columns)
    grid = torch.stack(
        [columns[:, None].expand(-1, size[0], -1), rows[:, :, None].expand(-1, -1, size[1])], dim=-1
    )
    pixels = images[index].permute(0, 3, 1, 2).float()
    scaled = F.grid_sample(
        pixels, grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    return scaled.round().to(torch.uint8).permute(0, 2, 3, 1)
