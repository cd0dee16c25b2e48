"""Subsets of published image data sets, written as files for `data.name: npz`."""

import gzip
from pathlib import Path

import numpy as np


def written(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    """Write the arrays and return the file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays)
    return path


def of_each_class(labels: np.ndarray, count: int, skipped: int = 0) -> np.ndarray:
    """Return the rows of `count` samples of each class after `skipped` first ones, ascending."""
    rows = []
    for label in np.unique(labels):
        rows.append(np.flatnonzero(labels == label)[skipped : skipped + count])
    return np.sort(np.concatenate(rows))


def halved(images: np.ndarray) -> np.ndarray:
    """Average blocks of 2×2 pixels: (n, h, w, …) uint8 → (n, h/2, w/2, …) uint8."""
    n, height, width, *rest = images.shape
    blocks = images.reshape(n, height // 2, 2, width // 2, 2, *rest).astype(float)
    mean: np.ndarray = blocks.mean(axis=(2, 4)).round().astype(np.uint8)
    return mean


def idx(path: Path) -> np.ndarray:
    """Read an array of bytes in the IDX format (LeCun's MNIST page)."""
    content = gzip.decompress(path.read_bytes())
    dimensions = content[3]
    shape = np.frombuffer(content, ">i4", dimensions, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
