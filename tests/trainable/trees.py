"""Tiny trees of image files for tests."""

from pathlib import Path

import numpy as np
from PIL import Image


def picture(seed: int, height: int = 12, width: int = 12) -> Image.Image:
    """A random colour image."""
    return Image.fromarray(
        np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    )


def save(path: Path, image: Image.Image) -> Path:
    """Write an image, with the folders above it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
    return path


def write_tree(
    root: Path,
    train: int = 8,
    test: int = 4,
    validation: int = 0,
    classes: tuple[str, ...] = ("a", "b"),
):
    """`{train,[val,]test}/CLASS/N.png` with that number of images per class."""
    for split, count in (("train", train), ("val", validation), ("test", test)):
        for c, name in enumerate(classes):
            for k in range(count):
                save(root / split / name / f"{k}.png", picture(len(split) * 1000 + c * 100 + k))
    return root
