"""Picture of a confusion matrix, drawn with Pillow: names of classes, axes and numbers."""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

SHOWN = 20
"""Largest number of classes of a picture. Of more, those with the most confusions are shown."""
CELL = 34
TEXT = 12
MARGIN = 6
LINE = 18
"""Sizes in pixels: a cell, a letter, a margin, a line of text."""
LONGEST = 16
"""Number of letters after which a name is cut."""
RIGHT = (0, 114, 178)
CONFUSED = (213, 94, 0)
BLACK = (0, 0, 0)
WHITE = (255, 255, 255)
GRID = (200, 200, 200)


def confusion(
    rows: np.ndarray, columns: np.ndarray, class_names: Sequence[str], row_title: str
) -> np.ndarray:
    """Draw the confusion matrix of the classes `rows` (n,) and `columns` (n,), the suggested ones.

    A cell has the percentage of its row, on the diagonal on blue, else on orange.

    Args:
        rows: class of each sample.
        columns: suggested class of each sample.
        class_names: names of all classes.
        row_title: what the rows are.

    Returns:
        An image (height, width, 3) uint8.
    """
    classes = len(class_names)
    counts = np.bincount(rows * classes + columns, minlength=classes**2).reshape(classes, classes)
    totals = counts.sum(1)
    shares = counts / np.maximum(totals, 1)[:, None]
    shown = _most_confused(counts)
    title = f"{row_title} (rows) and suggested class (columns), % of a row"
    if len(shown) < classes:
        title = f"{title}; the {len(shown)} of {classes} classes with most confusions"
    row_names = [f"{cut(class_names[k])}  n={totals[k]}" for k in shown]
    column_names = [cut(class_names[k]) for k in shown]
    return _drawn(shares[np.ix_(shown, shown)], row_names, column_names, title)


def _most_confused(counts: np.ndarray) -> np.ndarray:
    """Return the classes to show, in order."""
    if len(counts) <= SHOWN:
        return np.arange(len(counts))
    confused = counts.sum(0) + counts.sum(1) - 2 * np.diag(counts)
    most: np.ndarray = np.sort(np.argsort(-confused, kind="stable")[:SHOWN])
    return most


def cut(name: str, longest: int = LONGEST) -> str:
    """Return a name, or its beginning if it is longer."""
    return name if len(name) <= longest else f"{name[: longest - 1]}…"


def _drawn(
    shares: np.ndarray, row_names: Sequence[str], column_names: Sequence[str], title: str
) -> np.ndarray:
    """Draw shares (k, k) with the names of rows and columns."""
    font = ImageFont.load_default(TEXT)
    left = round(max(font.getlength(name) for name in row_names)) + 2 * MARGIN
    slanted = [_upright(name, font) for name in column_names]
    top = LINE + max(image.height for image in slanted) + 2 * MARGIN
    side = len(shares) * CELL
    width = max(left + side, round(font.getlength(title)) + MARGIN) + MARGIN
    page = Image.new("RGB", (width, top + side + MARGIN), WHITE)
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, 2), title, fill=BLACK, font=font)
    for k, (name, image) in enumerate(zip(row_names, slanted, strict=True)):
        middle = top + k * CELL + CELL // 2
        draw.text((left - MARGIN, middle), name, fill=BLACK, font=font, anchor="rm")
        place = (left + k * CELL + (CELL - image.width) // 2, top - MARGIN - image.height)
        page.paste(image, place)
    for (y, x), share in np.ndenumerate(shares):
        _cell(draw, (left + x * CELL, top + y * CELL), float(share), bool(y == x), font)
    return np.asarray(page)


def _upright(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont) -> Image.Image:
    """Return a text that is read from below."""
    image = Image.new("RGB", (round(font.getlength(text)) + 2, LINE), WHITE)
    ImageDraw.Draw(image).text((1, 1), text, fill=BLACK, font=font)
    return image.rotate(90, expand=True)


def _cell(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    share: float,
    diagonal: bool,
    font: ImageFont.ImageFont | ImageFont.FreeTypeFont,
) -> None:
    """Draw a cell with its percentage; 0 % is an empty cell."""
    full = np.array(RIGHT if diagonal else CONFUSED)
    mixed = np.round(255 - (255 - full) * share).astype(int)
    colour = (int(mixed[0]), int(mixed[1]), int(mixed[2]))
    x, y = corner
    draw.rectangle((x, y, x + CELL, y + CELL), fill=colour, outline=GRID)
    if share >= 0.005:
        ink = WHITE if share > 0.6 else BLACK
        place = (x + CELL // 2, y + CELL // 2)
        draw.text(place, f"{100 * share:.0f}", fill=ink, font=font, anchor="mm")
