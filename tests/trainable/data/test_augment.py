"""The batched crop and flip against a loop over images and pixels."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torchvision import transforms

from trainable.data import augment
from trainable.data.augment import AREA, RATIO, DrawnAhead, cropped, draw_crops, resized_crop


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def pictures(n: int, height: int, width: int, channels: int) -> torch.Tensor:
    """Random images without a black pixel, so that padding can be told from content."""
    return torch.randint(
        1, 256, (n, height, width, channels), dtype=torch.uint8, generator=generator(9)
    )


def padded(images: torch.Tensor, padding: int) -> torch.Tensor:
    return F.pad(images, (0, 0, padding, padding, padding, padding))


def crop_and_flip(images, index, padding, probability, flip, rng, side=None) -> torch.Tensor:
    """Crops of the images at `index`, drawn for these alone."""
    size = images.shape[1:3]
    return cropped(
        images, index, draw_crops(len(index), size, padding, probability, flip, rng, side)
    )


def draws(
    batch: int, padding: int, probability: float, flip: bool, seed: int
) -> list[tuple[int, int, bool]]:
    """(row offset, column offset, mirrored) of each image, drawn in the documented order."""
    rng = generator(seed)
    offset = torch.randint(0, 2 * padding + 1, (2, batch), generator=rng)
    shifted = (
        torch.rand(batch, generator=rng) < probability
        if probability < 1
        else torch.ones(batch, dtype=torch.bool)
    )
    mirrored = (
        torch.rand(batch, generator=rng) < 0.5 if flip else torch.zeros(batch, dtype=torch.bool)
    )
    return [
        (
            int(offset[0, i]) if shifted[i] else padding,
            int(offset[1, i]) if shifted[i] else padding,
            bool(mirrored[i]),
        )
        for i in range(batch)
    ]


def slow_crop(image: np.ndarray, padding: int, top: int, left: int, mirrored: bool) -> np.ndarray:
    """What torchvision's RandomCrop(padding=…) and RandomHorizontalFlip do to one image, pixel by pixel."""
    height, width, _ = image.shape
    out = np.zeros_like(image)
    for row in range(height):
        for column in range(width):
            y, x = row + top - padding, column + left - padding
            if 0 <= y < height and 0 <= x < width:
                out[row, column] = image[y, x]
    return out[:, ::-1] if mirrored else out


@pytest.mark.parametrize(
    ("height", "width", "channels", "padding", "probability", "flip"),
    [
        (8, 8, 1, 1, 0.25, False),
        (8, 8, 1, 1, 1.0, False),
        (10, 7, 3, 4, 1.0, True),
        (7, 10, 3, 2, 0.5, True),
        (6, 6, 1, 0, 1.0, True),
        (4, 4, 1, 6, 1.0, True),  # more padding than image
    ],
)
def test_crop_and_flip_is_the_slow_loop(height, width, channels, padding, probability, flip):
    images, index = (
        pictures(12, height, width, channels),
        torch.tensor([3, 0, 3, 11, 5, 7, 7, 1] * 4),
    )
    views = crop_and_flip(padded(images, padding), index, padding, probability, flip, generator(4))
    drawn = draws(len(index), padding, probability, flip, 4)
    slow = [
        slow_crop(images[i].numpy(), padding, *draw)
        for i, draw in zip(index.tolist(), drawn, strict=True)
    ]
    assert views.dtype == torch.uint8
    assert np.array_equal(views.numpy(), np.stack(slow))
    # The draws reach what they should, else the comparison shows little.
    assert len({draw[:2] for draw in drawn}) > 3 or padding == 0
    assert len({draw[2] for draw in drawn}) == 1 + flip


def test_probability_zero_is_the_identity():
    images, index = pictures(6, 8, 8, 3), torch.tensor([5, 2, 2, 0])
    assert torch.equal(
        crop_and_flip(padded(images, 4), index, 4, 0.0, False, generator()), images[index]
    )


def test_without_padding_and_flip_nothing_changes():
    images, index = pictures(6, 8, 8, 3), torch.tensor([5, 2, 2, 0])
    assert torch.equal(crop_and_flip(images, index, 0, 1.0, False, generator()), images[index])


def test_a_flip_alone_mirrors_about_half_of_the_images_left_to_right():
    n = 2000
    images = pictures(1, 4, 5, 3)
    views = crop_and_flip(images, torch.zeros(n, dtype=torch.int64), 0, 1.0, True, generator())
    kept, mirrored = (
        (views == images).flatten(1).all(1),
        (views == images.flip(2)).flatten(1).all(1),
    )
    assert (kept ^ mirrored).all()
    assert abs(int(mirrored.sum()) - n / 2) < 4 * np.sqrt(n) / 2


def test_pixels_that_come_in_from_outside_are_zero():
    n, padding = 500, 3
    images = torch.full((1, 8, 8, 1), 200, dtype=torch.uint8)
    views = crop_and_flip(
        padded(images, padding), torch.zeros(n, dtype=torch.int64), padding, 1.0, False, generator()
    )
    drawn = draws(n, padding, 1.0, False, 0)
    for view, (top, left, _) in zip(views, drawn, strict=True):
        inside = (8 - abs(top - padding)) * (8 - abs(left - padding))
        assert int((view == 200).sum()) == inside
        assert int((view == 0).sum()) == 64 - inside
    assert {draw[:2] for draw in drawn} == {
        (a, b) for a in range(7) for b in range(7)
    }  # every offset occurs


@pytest.mark.parametrize("probability", [0.25, 0.7])
def test_the_given_share_of_the_images_is_shifted(probability):
    n, padding = 5000, 1
    images = pictures(1, 8, 8, 1)
    views = crop_and_flip(
        padded(images, padding),
        torch.zeros(n, dtype=torch.int64),
        padding,
        probability,
        False,
        generator(),
    )
    moved = int((views != images).flatten(1).any(1).sum())
    share = probability * (1 - 1 / 9)  # one of the nine offsets is the centre
    assert abs(moved - n * share) < 4 * np.sqrt(n * share * (1 - share))


def test_the_generator_decides_the_views_and_moves_on():
    images, index = padded(pictures(20, 8, 8, 1), 2), torch.arange(20)
    rng = generator(1)
    first, second = (crop_and_flip(images, index, 2, 0.5, True, rng) for _ in range(2))
    assert not torch.equal(first, second)
    assert torch.equal(first, crop_and_flip(images, index, 2, 0.5, True, generator(1)))


def test_an_empty_index_gives_no_images():
    views = crop_and_flip(
        padded(pictures(3, 8, 8, 1), 1),
        torch.zeros(0, dtype=torch.int64),
        1,
        0.5,
        True,
        generator(),
    )
    assert views.shape == (0, 8, 8, 1)


# --- resized crop ---


def test_a_resized_crop_of_a_ramp_is_a_part_of_it_and_has_torchvisions_areas():
    ramp = torch.arange(0, 200, 2, dtype=torch.uint8).expand(100, 100)  # 2 per column
    images = torch.stack([ramp, ramp.T], dim=-1)[None]
    views = resized_crop(
        images, torch.zeros(4000, dtype=torch.int64), (20, 20), False, generator()
    ).float()
    wide = (views[:, 10, -1, 0] - views[:, 10, 0, 0]) / 2 * 20 / 19
    high = (views[:, -1, 10, 1] - views[:, 0, 10, 1]) / 2 * 20 / 19
    area, ratio = wide * high / 100**2, wide / high
    assert area.min() > 0.06
    assert area.max() < 1.03
    assert 0.7 < ratio.min() < 0.8
    assert 1.25 < ratio.max() < 1.45
    drawn = [
        transforms.RandomResizedCrop.get_params(images[0, :, :, :1].permute(2, 0, 1), AREA, RATIO)
        for _ in range(4000)
    ]
    expected = np.array([h * w for _, _, h, w in drawn]) / 100**2
    assert area.mean().item() == pytest.approx(expected.mean(), abs=0.025)
    assert area.std().item() == pytest.approx(expected.std(), abs=0.025)


def test_a_resized_crop_of_the_whole_is_the_image_and_flips(monkeypatch):
    monkeypatch.setattr(augment, "AREA", (1.0, 1.0))
    monkeypatch.setattr(augment, "RATIO", (1.0, 1.0))
    images = pictures(3, 8, 8, 3)
    index = torch.arange(3).repeat(20)
    assert torch.equal(resized_crop(images, index, (8, 8), False, generator()), images[index])
    views = resized_crop(images, index, (8, 8), True, generator())
    same = (views == images[index]).flatten(1).all(1)
    mirrored = (views == images[index].flip(2)).flatten(1).all(1)
    assert (same ^ mirrored).all()
    assert same.any()
    assert mirrored.any()


def test_a_seed_decides_the_resized_crops():
    images, index = pictures(3, 16, 16, 3), torch.arange(3)
    first, again, other = (
        resized_crop(images, index, (8, 8), True, generator(seed)) for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.dtype == torch.uint8
    assert first.shape == (3, 8, 8, 3)


# --- drawn ahead ---


def test_crops_drawn_ahead_are_those_of_blocks_whatever_the_batches(monkeypatch):
    monkeypatch.setattr(augment, "BLOCK", 10)
    images = pictures(40, 6, 5, 3)
    index = torch.arange(35)
    rng = generator(2)
    blocks = [draw_crops(10, (6, 5), 1, 0.7, True, rng) for _ in range(4)]
    whole = [
        cropped(images, index[k : k + 10], block[: len(index[k : k + 10])])
        for k, block in zip(range(0, 35, 10), blocks, strict=True)
    ]
    for sizes in ([35], [3, 9, 11, 12], [10, 10, 10, 5], [1] * 35):
        rng = generator(2)
        ahead = DrawnAhead(lambda n, rng=rng: draw_crops(n, (6, 5), 1, 0.7, True, rng), rng)
        parts = [cropped(images, part, ahead.next(len(part))) for part in index.split(sizes)]
        assert torch.equal(torch.cat(parts), torch.cat(whole))
