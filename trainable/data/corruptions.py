"""Corruptions that hide what an image shows: blur, occlusion, low light.

All are stronger than the highest severity of ImageNet-C (Hendrycks and Dietterich, ICLR 2019),
which networks are meant to withstand. Here the class is to be hidden.
"""

import numpy as np

from trainable.config.data import Corruption

BLUR = 0.25
"""Standard deviation of the Gaussian blur as a share of the image's side; 0.027 in ImageNet-C."""
COVERED = 0.75
"""Side of the grey square as a share of the image's; 0.5 for CIFAR-10 in Cutout (arXiv
1708.04552)."""
GREY = 128
PHOTONS = 0.5
"""Photons that are counted on average where the image is white; 3 in ImageNet-C's shot noise."""
BRIGHTNESS = 0.1
"""Brightness of the dark image as a share of the original one."""


def corrupted(
    images: np.ndarray, corruptions: list[Corruption], rng: np.random.Generator
) -> np.ndarray:
    """Return a copy of images (n, h, w, channels) uint8, each with one of the corruptions."""
    result = images.copy()
    drawn = rng.integers(0, len(corruptions), len(images))
    for number, corruption in enumerate(corruptions):
        rows = np.flatnonzero(drawn == number)
        if len(rows) == 0:
            continue
        match corruption:
            case "blur":
                result[rows] = blurred(images[rows])
            case "occlusion":
                result[rows] = occluded(images[rows], rng)
            case "low_light":
                result[rows] = darkened(images[rows], rng)
    return result


def blurred(images: np.ndarray) -> np.ndarray:
    """Blur images (n, h, w, channels) uint8 by a Gaussian; the edge pixels extend outwards."""
    # The import takes part of a second, and no other noise needs it.
    from scipy.ndimage import gaussian_filter

    height, width = images.shape[1:3]
    deviations = (0, BLUR * height, BLUR * width, 0)
    smooth = gaussian_filter(images.astype(np.float32), deviations, mode="nearest")
    return np.rint(smooth).astype(np.uint8)


def occluded(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cover a random rectangle of each image (n, h, w, channels) uint8 in grey."""
    result = images.copy()
    height, width = images.shape[1:3]
    rows = round(COVERED * height)
    columns = round(COVERED * width)
    tops = rng.integers(0, height - rows, len(images), endpoint=True)
    lefts = rng.integers(0, width - columns, len(images), endpoint=True)
    for image, top, left in zip(result, tops, lefts, strict=True):
        image[top : top + rows, left : left + columns] = GREY
    return result


def darkened(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return images (n, h, w, channels) uint8 as a sensor takes them with hardly any light.

    The photons of a pixel are a Poisson number (shot noise).
    """
    photons = rng.poisson(images.astype(np.float32) / 255 * PHOTONS)
    dark: np.ndarray = np.rint(np.minimum(255 * BRIGHTNESS * photons / PHOTONS, 255))
    return dark.astype(np.uint8)
