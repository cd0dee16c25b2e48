"""Views of resident images: one gather crops and flips a whole batch."""

import torch


def crop_and_flip(
    padded: torch.Tensor, index: torch.Tensor, padding: int, probability: float, flip: bool, rng: torch.Generator
) -> torch.Tensor:
    """Random crops of the images at `index`, each flipped left-right with probability 1/2 if `flip`.

    Args:
        padded: (n, h + 2·padding, w + 2·padding, channels), uint8, zeros around the images as torchvision's RandomCrop.
        index: (batch,) positions in `padded`.
        probability: share of the images that are shifted at all; the others stay in the centre.
        rng: generator on the device of `padded`.

    Returns:
        (batch, h, w, channels), uint8.
    """
    batch, device = len(index), padded.device
    height, width = padded.shape[1] - 2 * padding, padded.shape[2] - 2 * padding
    offset = torch.randint(0, 2 * padding + 1, (2, batch), generator=rng, device=device)
    if probability < 1:
        shifted = torch.rand(batch, generator=rng, device=device) < probability
        offset = torch.where(shifted, offset, padding)
    rows = offset[0, :, None] + torch.arange(height, device=device)
    columns = torch.arange(width, device=device).expand(batch, width)
    if flip:
        mirrored = torch.rand(batch, generator=rng, device=device) < 0.5
        columns = torch.where(mirrored[:, None], width - 1 - columns, columns)
    columns = columns + offset[1, :, None]
    return padded[index[:, None, None], rows[:, :, None], columns[:, None, :]]
