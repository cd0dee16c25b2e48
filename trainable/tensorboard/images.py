"""Small images for TensorBoard, drawn with Pillow.

The import of a plotting library would take a tenth of the time of a short trial.
"""

from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw

from trainable.storage import names

CLEAN = (0, 114, 178)
NOISY = (213, 94, 0)
OTHER = (150, 150, 150)
BLACK = (0, 0, 0)
"""Colours of Okabe and Ito, which are distinguishable without colour vision."""
SHEET = 24
"""Number of images on a sheet."""
CAPTION = (32, 30)
"""Pixels to the right of and below an image on a sheet, for its caption."""
BINS = 50
PLOT_WIDTH = 500
PLOT_HEIGHT = 250
"""Size of the plot of losses, pixels."""


def losses_and_mixture(
    losses: np.ndarray, clean: np.ndarray | None, mixture: dict[str, Any], network: int
) -> np.ndarray:
    """Plot a histogram of normalised losses and the density of the fitted mixture.

    Bars are blue for right and orange for wrong labels, grey if the true labels are unknown.

    Args:
        losses: (n,).
        clean: (n,) bool, whether the given label is right; None: unknown.
        mixture: parameters of the mixture by the metric names of rows; {}: no mixture.
        network: number of the network, for the metric names.

    Returns:
        An image (height, width, 3) uint8.
    """
    scale = np.ptp(losses)
    if not scale > 0:
        scale = 1
    scaled = (losses - losses.min()) / scale
    if clean is None:
        groups = [(scaled, OTHER)]
    else:
        groups = [(scaled[clean], CLEAN), (scaled[~clean], NOISY)]
    # The bars of all groups together have the area 1.
    densities = [np.histogram(values, BINS, (0, 1))[0] * BINS / len(scaled) for values, _ in groups]
    top = max(float(np.max(densities)), 1e-9) * 1.05
    image = Image.new("RGB", (PLOT_WIDTH, PLOT_HEIGHT), "white")
    draw = ImageDraw.Draw(image, "RGBA")
    for density, (_, colour) in zip(densities, groups, strict=True):
        _draw_bars(draw, density, top, colour)
    for component in ("clean", "noisy"):
        _draw_component(draw, mixture, component, network, top)
    return np.asarray(image)


def _draw_bars(
    draw: ImageDraw.ImageDraw, density: np.ndarray, top: float, colour: tuple[int, int, int]
) -> None:
    """Draw one bar per bin; a bar of the height `top` fills the image."""
    bar = PLOT_WIDTH / BINS
    for k, value in enumerate(density):
        left = k * PLOT_WIDTH / BINS
        upper = PLOT_HEIGHT * (1 - value / top)
        draw.rectangle((left, upper, left + bar - 1, PLOT_HEIGHT), fill=(*colour, 130))


def _draw_component(
    draw: ImageDraw.ImageDraw, mixture: dict[str, Any], component: str, network: int, top: float
) -> None:
    """Draw the density of one Gaussian of the mixture, if its parameters are known."""

    def number(parameter: str) -> Any:
        name = names.MIXTURE.format(parameter=parameter, component=component, k=network)
        return mixture.get(name)

    mean = number("mean")
    sd = number("sd")
    if mean is None or not sd:
        return
    grid = np.linspace(0, 1, PLOT_WIDTH)
    weight = number("weight")
    density = weight * np.exp(-(((grid - mean) / sd) ** 2) / 2) / (sd * np.sqrt(2 * np.pi))
    points = zip(grid * PLOT_WIDTH, PLOT_HEIGHT * (1 - density / top), strict=True)
    draw.line(list(points), fill=BLACK, width=2)


def sheet(images: torch.Tensor, captions: list[str]) -> np.ndarray:
    """Draw normalised images (n, channels, h, w) in rows of eight, each over its caption.

    Captions have one or two lines.

    Returns:
        An image (height, width, 3) uint8.
    """
    low = images.amin((1, 2, 3), keepdim=True)
    high = images.amax((1, 2, 3), keepdim=True)
    scaled = 255 * (images - low) / (high - low).clamp_min(1e-6)
    pixels = scaled.byte().permute(0, 2, 3, 1).cpu().numpy()
    side = 64
    rows = -(-len(pixels) // 8)
    page = Image.new("RGB", (8 * (side + CAPTION[0]), rows * (side + CAPTION[1])), "white")
    draw = ImageDraw.Draw(page)
    for k, (image, caption) in enumerate(zip(pixels, captions, strict=True)):
        left = k % 8 * (side + CAPTION[0])
        top = k // 8 * (side + CAPTION[1])
        if image.shape[-1] == 1:
            image = image[..., 0]
        small = Image.fromarray(image).resize((side, side), Image.Resampling.NEAREST)
        page.paste(small, (left, top))
        draw.text((left + 2, top + side + 1), caption, fill=BLACK)
    return np.asarray(page)
