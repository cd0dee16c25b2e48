"""What an audit shows of a sample: an image, the file behind an embedding, or its text."""

import base64
import io
import textwrap
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image

from trainable.data.arrays import Split
from trainable.data.features import Features
from trainable.data.image_folder import is_image
from trainable.data.images import Files, decode
from trainable.errors import DataError

SIDE = 96
"""Pixels of a thumbnail; larger images are scaled down."""
LINE = 48
"""Characters of a line of a text that is drawn."""
LINES = 16
"""Most lines of it."""
SHOWN_BY_BROWSERS = {
    ".avif": "image/avif",
    ".bmp": "image/bmp",
    ".gif": "image/gif",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}


def thumbnail_of(split: Split, row: int) -> str | None:
    """Return a small image of a sample as a data URI; None: it is known as text only.

    Raises:
        DataError: the image cannot be read.
    """
    images = split.images
    if isinstance(images, np.ndarray):
        return thumbnail(images[row])
    if isinstance(images, Files):
        return thumbnail(images.load(np.array([row]))[0])
    pixels = _pixels_behind(images, row)
    return None if pixels is None else thumbnail(pixels)


def address_of(split: Split, row: int) -> str:
    """Return an image of a sample as a data URI; a text is drawn. Raises DataError."""
    small = thumbnail_of(split, row)
    if small is not None:
        return small
    kind, content = _drawn(split, row)
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def picture(split: Split, row: int) -> tuple[str, bytes]:
    """Return the type and the content of an image of a sample, as its owner has it.

    Raises:
        DataError: the image cannot be read.
    """
    images = split.images
    if isinstance(images, np.ndarray):
        return "image/png", _png(images[row])
    if isinstance(images, Features):
        pixels = _pixels_behind(images, row)
        return _drawn(split, row) if pixels is None else ("image/png", _png(pixels))
    path = images.path(row)
    kind = SHOWN_BY_BROWSERS.get(path.suffix.lower())
    if kind is None:
        return "image/png", _png(decode(path, None, 3, upright=True))
    try:
        return kind, path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error}") from None


def text_of(split: Split, row: int) -> str | None:
    """Return the text of a sample; None: there is none."""
    images = split.images
    if not isinstance(images, Features) or images.texts is None:
        return None
    return str(images.texts[row])


def has_image(split: Split, row: int) -> bool:
    """Return whether there is an image of a sample; of others, `picture` draws text or name."""
    images = split.images
    return not isinstance(images, Features) or _pixels_behind(images, row) is not None


def thumbnail(pixels: np.ndarray) -> str:
    """Return an image (height, width, 1 or 3) uint8 as a data URI of at most 96 × 96 pixels.

    Images of at most 32 pixels are PNG, larger ones JPEG.
    """
    grey = pixels.shape[-1] == 1
    image = Image.fromarray(pixels[..., 0] if grey else pixels)
    form = "PNG" if max(image.size) <= SIDE // 3 else "JPEG"
    image.thumbnail((SIDE, SIDE))
    encoded = base64.b64encode(_saved(image, form)).decode()
    return f"data:image/{form.lower()};base64,{encoded}"


def _pixels_behind(features: Features, row: int) -> np.ndarray | None:
    """Return the image from which a vector was made; None: there is none that can be read."""
    file = features.file(row)
    if file is None or not is_image(file):
        return None
    try:
        return decode(file, None, 3, upright=True)
    except DataError:
        return None


def _drawn(split: Split, row: int) -> tuple[str, bytes]:
    """Return the text of a sample, or else its name, as a drawing."""
    text = text_of(split, row) or split.name(row)
    text = "".join(each if each.isprintable() else " " for each in text)
    lines = textwrap.wrap(text, LINE, max_lines=LINES, placeholder=" …") or [""]
    height = 24 * len(lines) + 16
    spans = "".join(
        f'<tspan x="8" y="{24 * number + 24}">{escape(line)}</tspan>'
        for number, line in enumerate(lines)
    )
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {10 * LINE + 16} {height}">'
        f'<rect width="100%" height="100%" fill="white"/>'
        f'<text font-family="monospace" font-size="16" xml:space="preserve">{spans}</text></svg>'
    )
    return "image/svg+xml", drawing.encode()


def _png(pixels: np.ndarray) -> bytes:
    """Return an image (height, width, 1 or 3) uint8 as PNG."""
    return _saved(Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels), "PNG")


def _saved(image: Image.Image, form: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, form)
    return buffer.getvalue()
