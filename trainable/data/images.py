"""Decode image files into arrays of bytes.

Grey and palette images are converted to their colours. Transparent pixels are composited on black.
16-bit pixels keep their high byte. Other formats are errors. Scaling follows torchvision's `Resize`
and `CenterCrop` (bilinear, antialiased); the results are equal.
"""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from trainable.errors import DataError
from trainable.storage.wording import first_names

SUFFIXES = (
    ".avif",
    ".bmp",
    ".gif",
    ".jp2",
    ".jpeg",
    ".jpg",
    ".pbm",
    ".pgm",
    ".png",
    ".ppm",
    ".tif",
    ".tiff",
    ".webp",
)
"""File types of images that Pillow reads without further programs; of several frames, the first."""
ORIENTATION = 0x0112
"""EXIF tag: 1 is upright, 2 to 8 are mirrored or rotated; from 5 on, width and height change."""
SHOWN = 5


@dataclass(frozen=True)
class Files:
    """Images that are not decoded yet, for instance a split of a folder.

    Attributes:
        root: folder where relative names start.
        names: (n,) file names as bytes; a million strings would be copied into every worker.
        size: side of the decoded squares, pixels; None: all images have the same size.
        channels: 1 or 3.
        first: file with the size that all images must have if `size` is None.
        upright: whether images are rotated as their EXIF orientation says.
    """

    root: Path
    names: np.ndarray
    size: int | None
    channels: int
    first: Path
    upright: bool = False
    shape: tuple[int, int, int] = field(init=False)
    """(height, width, channels) of every image."""

    def __post_init__(self) -> None:
        if self.size:
            shape = (self.size, self.size, self.channels)
        else:
            shape = (*dimensions(self.first, self.upright), self.channels)
        object.__setattr__(self, "shape", shape)

    def __len__(self) -> int:
        return len(self.names)

    def path(self, row: int) -> Path:
        """Return the file at a row."""
        return self.root / os.fsdecode(self.names[row])

    def load(self, rows: np.ndarray, threads: int = 1) -> np.ndarray:
        """Decode the images at `rows`, uint8 (batch, height, width, channels).

        Raises:
            DataError: files are not valid images; the message names up to five.
        """
        images = np.empty((len(rows), *self.shape), np.uint8)

        def fill(position: int) -> str | None:
            try:
                images[position] = self._fitting(self.path(rows[position]))
            except DataError as error:
                return str(error)
            return None

        if threads == 1:
            answers = [fill(position) for position in range(len(rows))]
        else:
            with ThreadPoolExecutor(threads) as pool:  # decoders release Python's lock
                answers = list(pool.map(fill, range(len(rows))))
        problems = [answer for answer in answers if answer]
        if problems:
            more = f"\n… and {len(problems) - SHOWN} more" if len(problems) > SHOWN else ""
            raise DataError("\n".join(problems[:SHOWN]) + more)
        return images

    def _fitting(self, path: Path) -> np.ndarray:
        image = decode(path, self.size, self.channels, self.upright)
        if image.shape != self.shape:
            raise DataError(
                f"{path} has {image.shape[1]}×{image.shape[0]} pixels and {self.first} "
                f"{self.shape[1]}×{self.shape[0]}. For images of different sizes, set `data.size`, "
                "the side of the squares to which they are scaled"
            )
        return image

    def digests(self, rows: np.ndarray) -> np.ndarray:
        """Return a digest of the bytes of each file at `rows`, (batch,) uint64, none of them 0.

        Raises:
            DataError: a file cannot be read.
        """
        found = np.empty(len(rows), np.uint64)
        for position, row in enumerate(rows):
            try:
                content = self.path(row).read_bytes()
            except OSError as error:
                raise DataError(f"{self.path(row)} cannot be read: {error.strerror}") from None
            found[position] = digest(content)
        return found

    @property
    def hash(self) -> str:
        """Hex digits, a hash of names, file sizes and image shape.

        Contents are not hashed, because that would take hours for large data sets.

        Raises:
            DataError: listed files do not exist; the message has their number and first names.
        """
        whole = hashlib.sha256(repr(self.shape).encode())
        absent = []
        for row, name in enumerate(self.names):
            try:
                whole.update(name + b"\0%d\0" % self.path(row).stat().st_size)
            except FileNotFoundError:
                absent.append(name.decode(errors="backslashreplace"))
        if absent:
            raise DataError(
                f"{self.root}: {len(absent)} of {len(self)} listed images do not exist: "
                f"{first_names(absent)}"
            )
        return whole.hexdigest()

    def sizes(self, rows: np.ndarray | None = None) -> np.ndarray:
        """Return the sizes of the files at `rows` (m,), bytes; None: of all files.

        Raises:
            DataError: a file does not exist.
        """
        chosen = range(len(self)) if rows is None else rows.tolist()
        try:
            return np.array([self.path(row).stat().st_size for row in chosen], np.int64)
        except OSError as error:
            raise DataError(f"{error.filename} cannot be read: {error.strerror}") from None

    def only(self, rows: np.ndarray) -> "Files":
        """Return only the images at `rows` (m,)."""
        return replace(self, names=self.names[rows])


def digest(content: bytes) -> int:
    """Return a number of 64 bits, not 0, that identifies bytes."""
    found = hashlib.blake2b(content, digest_size=8).digest()
    return int.from_bytes(found, "little") or 1


def dimensions(path: Path, upright: bool = False) -> tuple[int, int]:
    """Return (height, width) of an image from its header; `upright`: as it is to be seen.

    Raises:
        DataError: the file is missing or not a valid image.
    """
    with _opened(path) as image:
        if not upright:
            return image.height, image.width
        try:
            return seen_size(image)
        except Exception as error:  # the orientation of a PNG file is behind its pixels
            raise DataError(f"{path} is a damaged image: {error}") from None


def seen_size(image: Image.Image) -> tuple[int, int]:
    """Return (height, width) of an image as its EXIF orientation shows it."""
    if image.getexif().get(ORIENTATION, 1) >= 5:
        return image.width, image.height
    return image.height, image.width


def decode(path: Path, size: int | None, channels: int, upright: bool = False) -> np.ndarray:
    """Decode one image, uint8 (height, width, channels).

    The result is its central square, scaled to `size` pixels; None: the whole image. `upright`: the
    image is rotated and mirrored as its EXIF orientation says.

    Raises:
        DataError: the file is missing, damaged, or has 32-bit pixels.
    """
    with _opened(path) as image:
        try:
            image.load()
            if upright:
                image = ImageOps.exif_transpose(image)
            return _fitted(_coloured(image, path), size, channels)
        except DataError:
            raise
        except Exception as error:  # Pillow raises a dozen types for damaged files
            raise DataError(f"{path} is a damaged image: {error}") from None


def from_pixels(pixels: np.ndarray, size: int | None, channels: int) -> np.ndarray:
    """Return an image in memory, uint8 (height, width, 1 or 3), as `decode` returns one of a file.

    Args:
        pixels: the image.
        size: side of the central square, pixels; None: the whole image.
        channels: 1 or 3.
    """
    grey = pixels.shape[2] == 1
    return _fitted(Image.fromarray(pixels[..., 0] if grey else pixels), size, channels)


def _fitted(image: Image.Image, size: int | None, channels: int) -> np.ndarray:
    """Return the pixels of an image with that size and number of channels."""
    image = image.convert("RGB" if channels == 3 else "L")
    if size is not None:
        image = _square(image, size)
    return np.asarray(image).reshape(image.height, image.width, channels)


def _opened(path: Path) -> Image.Image:
    try:
        return Image.open(path)
    except FileNotFoundError:
        raise DataError(f"{path} does not exist") from None
    except Exception as error:
        detail = "" if isinstance(error, UnidentifiedImageError) else f": {error}"
        raise DataError(f"{path} is not an image that can be read{detail}") from None


def _coloured(image: Image.Image, path: Path) -> Image.Image:
    """Return the image with 8 bits per channel and without transparency."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise DataError(f"{path} has 32-bit pixels; save it with 8 or 16 bits per channel")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "black"), image)
    return image


def _square(image: Image.Image, size: int) -> Image.Image:
    """Scale the shorter side of the image to `size` pixels and crop the central square."""
    short = min(image.size)
    if short != size:
        width, height = image.size
        if width == short:
            scaled = (size, size if height == short else int(size * height / short))
        else:
            scaled = (int(size * width / short), size)
        image = image.resize(scaled, Image.Resampling.BILINEAR)
    if image.size == (size, size):
        return image
    left = round((image.width - size) / 2)
    top = round((image.height - size) / 2)
    return image.crop((left, top, left + size, top + size))
