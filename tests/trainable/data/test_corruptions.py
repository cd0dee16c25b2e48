"""Corruptions of images: what each leaves of them, and that a seed decides it."""

import numpy as np
import pytest

from trainable.data.corruptions import (
    BRIGHTNESS,
    GREY,
    PHOTONS,
    blurred,
    corrupted,
    darkened,
    occluded,
)

EVERY = ["blur", "occlusion", "low_light"]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def pictures(n: int = 60, height: int = 12, width: int = 8, channels: int = 3) -> np.ndarray:
    return rng(1).integers(0, 256, (n, height, width, channels), dtype=np.uint8)


def test_a_blur_is_the_gaussian_mean_of_the_neighbors_of_each_channel():
    point = np.zeros((1, 33, 33, 2), np.uint8)
    point[0, 16, 16, 0] = 255
    spread = np.arange(-16, 17)
    weights = np.exp(-(spread**2) / (2 * (33 / 4) ** 2))
    # The filter ends at four standard deviations, and the edge repeats: the center is untouched by it.
    expected = 255 / weights.sum() ** 2
    found = blurred(point)
    assert found[0, 16, 16, 0] == pytest.approx(expected, abs=1)
    assert not found[..., 1].any()
    assert blurred(np.full((2, 9, 9, 1), 77, np.uint8)).tolist() == [[[[77]] * 9] * 9] * 2


def test_a_blur_leaves_hardly_any_contrast():
    assert blurred(pictures()).std((1, 2)).mean() < 0.2 * pictures().std((1, 2)).mean()


def test_an_occlusion_covers_three_quarters_of_each_side_anywhere_in_the_image():
    images = np.where(pictures() == GREY, GREY + 1, pictures()).astype(np.uint8)
    found = occluded(images, rng())
    covered = (found == GREY).all(-1)
    assert (covered.sum((1, 2)) == 9 * 6).all()
    assert np.array_equal(found[~covered], images[~covered])
    corners = {(int(np.argmax(c.any(1))), int(np.argmax(c.any(0)))) for c in covered}
    assert corners == {(top, left) for top in range(4) for left in range(3)}


def test_low_light_is_a_tenth_of_the_brightness_on_average_and_mostly_noise():
    white = np.full((200, 10, 10, 1), 255, np.uint8)
    found = darkened(white, rng())
    step = 255 * BRIGHTNESS / PHOTONS
    assert set(np.unique(found)) <= {int(np.rint(step * photons)) for photons in range(12)} | {255}
    assert found.mean() == pytest.approx(255 * BRIGHTNESS, rel=0.03)
    assert found.std() == pytest.approx(step * np.sqrt(PHOTONS), rel=0.03)
    assert not darkened(np.zeros((3, 4, 4, 1), np.uint8), rng()).any()


def test_each_image_gets_one_of_the_corruptions_and_the_original_stays_as_it_is():
    images = np.full((300, 8, 8, 1), 200, np.uint8)
    found = corrupted(images, EVERY, rng())
    blurs = (found == 200).all((1, 2, 3))  # a uniform image stays uniform
    occlusions = (found == GREY).any((1, 2, 3))
    dark = (found == 0).any((1, 2, 3))
    assert (blurs.astype(int) + occlusions + dark == 1).all()
    assert all(70 < kind.sum() < 130 for kind in (blurs, occlusions, dark))
    assert (images == 200).all()


@pytest.mark.parametrize("kind", EVERY)
def test_a_list_of_one_is_that_corruption(kind):
    made = {"blur": lambda i, _: blurred(i), "occlusion": occluded, "low_light": darkened}[kind]
    draws = rng(3)
    draws.integers(0, 1, 60)
    assert np.array_equal(corrupted(pictures(), [kind], rng(3)), made(pictures(), draws))


def test_a_seed_decides_the_corruptions():
    first, again, other = (corrupted(pictures(), EVERY, rng(seed)) for seed in (0, 0, 1))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_no_images_stay_none():
    assert corrupted(pictures()[:0], EVERY, rng()).shape == (0, 12, 8, 3)
