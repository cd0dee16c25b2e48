"""Strong augmentation with torchvision's AutoAugment and its CIFAR-10 policy.

Cubuk et al. 2019, arXiv 1805.09501.
"""

import torch
from torchvision.transforms import AutoAugment, AutoAugmentPolicy

GREY = 128.0
"""Value of pixels outside the shifted or rotated image, as in AugDesc's `autoaugment.py`."""


class _Drawn(AutoAugment):  # type: ignore[misc]  # torchvision has no types
    """AutoAugment with given random draws.

    torchvision draws from the global generator, once for a whole batch.
    """

    drawn: tuple[int, torch.Tensor, torch.Tensor]

    def get_params(self, transform_num: int) -> tuple[int, torch.Tensor, torch.Tensor]:
        return self.drawn


def auto_augment(images: torch.Tensor, rng: torch.Generator) -> torch.Tensor:
    """Apply one of 25 pairs of operations to each image.

    Each operation has its own probability and a random sign.

    Args:
        images: (batch, h, w, channels) uint8, with 1 or 3 channels.
        rng: generator on the device of `images`.

    Returns:
        Images of the same shape and type.
    """
    transform = _Drawn(AutoAugmentPolicy.CIFAR10, fill=[GREY] * images.shape[3])
    drawn = _draw_operations(transform, len(images), images.device, rng)
    # torchvision's functions process images with the same draws together.
    draws, group = torch.unique(drawn, dim=0, return_inverse=True)
    pixels = images.permute(0, 3, 1, 2).clone(memory_format=torch.contiguous_format)
    for number, draw in enumerate(draws.cpu()):
        same = group == number
        # An operation is applied if its number is at most its probability.
        applied = torch.where(draw[1:3] > 0, 0.0, 2.0)
        transform.drawn = (int(draw[0]), applied, draw[3:])
        pixels[same] = transform(pixels[same])
    return pixels.permute(0, 2, 3, 1)


def _draw_operations(
    transform: _Drawn, batch: int, device: torch.device, rng: torch.Generator
) -> torch.Tensor:
    """Draw (batch, 5): the pair of operations, whether each is applied, and the sign of each."""
    probabilities = []
    for first, second in transform.policies:
        probabilities.append([first[1], second[1]])
    probability = torch.tensor(probabilities, device=device)
    pair = torch.randint(len(probabilities), (batch, 1), generator=rng, device=device)
    applied = torch.rand(batch, 2, generator=rng, device=device) < probability[pair[:, 0]]
    sign = torch.randint(2, (batch, 2), generator=rng, device=device)
    return torch.cat([pair, applied, sign * applied], 1)
