"""Small pictures for TensorBoard, drawn by Pillow: importing a plotting library would cost a short
trial a tenth of its time."""

from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from trainable.storage import names

CLEAN, NOISY, OTHER, BLACK = (0, 114, 178), (213, 94, 0), (150, 150, 150), (0, 0, 0)
"""Colours of Okabe and Ito, told apart without colour vision."""
SHEET = 24
BINS = 50


def losses_and_mixture(
    losses: np.ndarray, clean: np.ndarray | None, mixture: dict[str, Any], network: int
) -> np.ndarray:
    """Normalised losses (n,) of right (blue) and wrong (orange) labels as bars, the fitted mixture
    as lines.

    `clean` (n,) bool says which labels are right, None if nobody knows; `mixture` has its numbers
    by the names of rows, or nothing. An image (height, width, 3) uint8.
    """
    width, height, scale = 500, 250, np.ptp(losses)
    x = (losses - losses.min()) / (scale if scale > 0 else 1)
    groups = [(x, OTHER)] if clean is None else [(x[clean], CLEAN), (x[~clean], NOISY)]
    counts = [
        np.histogram(values, BINS, (0, 1))[0] * BINS / len(x) for values, _ in groups
    ]  # densities of the whole
    top = max(float(np.max(counts)), 1e-9) * 1.05
    image = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(image, "RGBA")
    for heights, (_, colour) in zip(counts, groups, strict=True):
        for k, value in enumerate(heights):
            left, y = k * width / BINS, height * (1 - value / top)
            draw.rectangle((left, y, left + width / BINS - 1, height), fill=(*colour, 130))
    grid = np.linspace(0, 1, width)
    for side in ("clean", "noisy"):
        mean, sd, weight = (
            mixture.get(names.MIXTURE.format(parameter=parameter, component=side, k=network))
            for parameter in ("mean", "sd", "weight")
        )
        if mean is not None and sd:
            density = weight * np.exp(-(((grid - mean) / sd) ** 2) / 2) / (sd * np.sqrt(2 * np.pi))
            draw.line(
                list(zip(grid * width, height * (1 - density / top), strict=True)),
                fill=BLACK,
                width=2,
            )
    return np.asarray(image)


def confusion(rows: np.ndarray, columns: np.ndarray, classes: int) -> np.ndarray:
    """How often each class of `columns` (n,) meets each of `rows` (n,), each row scaled to 1: dark
    is often.

    An image (height, width, 3) uint8 with one square a pair of classes.
    """
    counts = np.bincount(rows * classes + columns, minlength=classes**2).reshape(classes, classes)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    side = max(2, 400 // classes)
    return np.kron(255 - (255 * shares)[..., None], np.ones((side, side, 3))).astype(np.uint8)


def sheet(images: torch.Tensor, captions: list[str]) -> np.ndarray:
    """Normalised images (n, channels, h, w) in rows of eight with a caption below each; (height,
    width, 3) uint8."""
    low, high = images.amin((1, 2, 3), keepdim=True), images.amax((1, 2, 3), keepdim=True)
    pixels = (
        (255 * (images - low) / (high - low).clamp_min(1e-6))
        .byte()
        .permute(0, 2, 3, 1)
        .cpu()
        .numpy()
    )
    side = 64
    page = Image.new("RGB", (8 * (side + 4), -(-len(pixels) // 8) * (side + 16)), "white")
    draw = ImageDraw.Draw(page)
    for k, (image, caption) in enumerate(zip(pixels, captions, strict=True)):
        left, top = k % 8 * (side + 4), k // 8 * (side + 16)
        small = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
        page.paste(small.resize((side, side), Image.Resampling.NEAREST), (left, top))
        draw.text((left + 2, top + side + 1), caption, fill=BLACK)
    return np.asarray(page)
