"""Views of images in memory: one gather crops and flips a whole batch."""

import torch


def crop_and_flip(
    padded: torch.Tensor,
    index: torch.Tensor,
    padding: int,
    probability: float,
    flip: bool,
    rng: torch.Generator,
    side: int | None = None,
) -> torch.Tensor:
    """Random crops of the images at `index`, each flipped left-right with probability 1/2 if `flip`.

    Args:
        padded: (n, h + 2·padding, w + 2·padding, channels), uint8, zeros around the images as torchvision's RandomCrop.
        index: (batch,) positions in `padded`.
        probability: share of the images that are shifted at all; the others stay in the centre.
        rng: generator on the device of `padded`.
        side: height and width of the crops; None: the images' own before the padding.

    Returns:
        (batch, h, w, channels), uint8.
    """
    batch, device = len(index), padded.device
    height, width = padded.shape[1] - 2 * padding, padded.shape[2] - 2 * padding
    centre = torch.tensor([[padding], [padding]], device=device)
    if side is None:
        offset = torch.randint(0, 2 * padding + 1, (2, batch), generator=rng, device=device)
    else:
        height, width, spare = side, side, [extent - side for extent in padded.shape[1:3]]
        centre = torch.tensor(spare, device=device)[:, None] // 2
        offset = torch.stack([torch.randint(0, s + 1, (batch,), generator=rng, device=device) for s in spare])
    if probability < 1:
        shifted = torch.rand(batch, generator=rng, device=device) < probability
        offset = torch.where(shifted, offset, centre)
    rows = offset[0, :, None] + torch.arange(height, device=device)
    columns = torch.arange(width, device=device).expand(batch, width)
    if flip:
        mirrored = torch.rand(batch, generator=rng, device=device) < 0.5
        columns = torch.where(mirrored[:, None], width - 1 - columns, columns)
    columns = columns + offset[1, :, None]
    return padded[index[:, None, None], rows[:, :, None], columns[:, None, :]]
