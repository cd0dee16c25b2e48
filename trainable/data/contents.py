"""Content of image files: a digest of each file that was read, and one hash of all of them.

Files are read in any order, at the start of a trial or while it trains; the hash is the same. It is
of the files' bytes and not of the decoded pixels, which differ between versions of the decoders.
"""

import hashlib

import numpy as np


class Contents:
    """Digests of the files of several splits."""

    def __init__(self, sizes: list[int]):
        self._parts = [np.zeros(size, np.uint64) for size in sizes]  # 0: not read yet

    def add(self, part: int, rows: np.ndarray, digests: np.ndarray) -> int | None:
        """Record the digests (batch,) of the files at `rows` (batch,) of a split.

        Returns:
            The first row whose file had another content when it was read before; None: there is
            none.
        """
        known = self._parts[part][rows]
        changed = np.flatnonzero((known != 0) & (known != digests))
        if len(changed):
            return int(rows[changed[0]])
        self._parts[part][rows] = digests
        return None

    @property
    def hash(self) -> str | None:
        """16 hex digits, a hash of all files; None: some have not been read."""
        if not all(part.all() for part in self._parts):
            return None
        digest = hashlib.sha256()
        for part in self._parts:
            digest.update(part.tobytes())
        return digest.hexdigest()[:16]
