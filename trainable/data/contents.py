"""Content of image files: a digest of each decoded image, and one hash of all of them.

Images are decoded in any order, at the start of a trial or while it trains; the hash is the same.
"""

import hashlib

import numpy as np


def digests(images: np.ndarray) -> np.ndarray:
    """Return a digest of each image's pixels, (n,) uint64; images: (n, h, w, channels) uint8."""
    found = np.empty(len(images), np.uint64)
    for row, image in enumerate(images):
        pixels = np.ascontiguousarray(image).data
        digest = hashlib.blake2b(pixels, digest_size=8).digest()
        found[row] = int.from_bytes(digest, "little") or 1  # 0: not decoded yet
    return found


class Contents:
    """Digests of the images of several splits."""

    def __init__(self, sizes: list[int]):
        self._parts = [np.zeros(size, np.uint64) for size in sizes]

    def add(self, part: int, rows: np.ndarray, found: np.ndarray) -> int | None:
        """Record the digests (batch,) of the images at `rows` (batch,) of a split.

        Returns:
            The first row whose image was another one when it was decoded before; None: there is
            none.
        """
        known = self._parts[part][rows]
        changed = np.flatnonzero((known != 0) & (known != found))
        if len(changed):
            return int(rows[changed[0]])
        self._parts[part][rows] = found
        return None

    @property
    def hash(self) -> str | None:
        """16 hex digits, a hash of all images; None: some have not been decoded."""
        if not all(part.all() for part in self._parts):
            return None
        digest = hashlib.sha256()
        for part in self._parts:
            digest.update(part.tobytes())
        return digest.hexdigest()[:16]
