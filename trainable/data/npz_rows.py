"""Images of `.npz` files, one after the other; memory does not grow with their number."""

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import numpy as np

from trainable.data.npy_header import read_header, reading
from trainable.errors import DataError


def arrays_of_images(path: Path) -> list[str]:
    """Return the names of the arrays `images` and `*_images` in a file, in its order.

    Raises:
        DataError: the file cannot be read, or has no such array.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            every = [name.removesuffix(".npy") for name in archive.namelist()]
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}") from None
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise DataError(f"{path} is not a readable .npz file: {error}") from None
    found = [name for name in every if name == "images" or name.endswith("_images")]
    if not found:
        present = ", ".join(every) or "none"
        raise DataError(f"{path} has no array `images` or `*_images`; it has {present}")
    return found


def rows(path: Path, array: str) -> Iterator[np.ndarray]:
    """Yield the images of an array, uint8 (height, width, 1 or 3).

    Raises:
        DataError: the array is damaged, or has no such images.
    """
    with (
        reading(path, array),
        zipfile.ZipFile(path) as archive,
        archive.open(f"{array}.npy") as stream,
    ):
        count, *shape = _shape(stream, f"{path}: {array}")
        size = math.prod(shape)
        for _ in range(count):
            content = stream.read(size)
            if len(content) < size:
                raise DataError(f"{path}: {array} ends too early")
            yield np.frombuffer(content, np.uint8).reshape(shape)


def _shape(stream: IO[bytes], name: str) -> tuple[int, ...]:
    """Read the header of an array; return its shape, (n, height, width, 1 or 3)."""
    shape, kind = read_header(stream, name)
    whole = shape if len(shape) == 4 else (*shape, 1)
    if len(whole) != 4 or kind != np.uint8 or whole[-1] not in (1, 3):
        raise DataError(
            f"{name} is {kind} {shape}; expected uint8 (n, height, width) or (…, 1 or 3)"
        )
    return whole
