"""Files of features: written in shards that survive a kill, then joined into one `.npz` file.

The file has `features` (n, width) float16 and the columns of `Images.columns`. It is stored without
compression, so that features can be mapped into memory.
"""

import io
import json
import os
import shutil
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy

from trainable.errors import DataError

ABOUT = "about.json"
FITTED = "fitted.npz"
JOINED = "joined.npz"
ROWS = 512
"""Number of rows of a shard; the last one may have fewer."""


class Shards:
    """The folder `.OUT.partial` of features that are not complete yet.

    It is hidden, so that it is no class where `OUT` is in a folder of images.

    Args:
        out: the file that is to be written.
        about: what the features depend on, plain data.

    Raises:
        DataError: the folder holds features that depend on something else.
    """

    def __init__(self, out: Path, about: Mapping[str, Any]):
        self._out = out
        self.folder = out.with_name(f".{out.name}.partial")
        self.folder.mkdir(exist_ok=True)
        text = json.dumps(about, indent=1, sort_keys=True)
        described = self.folder / ABOUT
        if described.exists() and described.read_text(encoding="utf-8") != text:
            raise DataError(
                f"{self.folder} holds features of other images or of another model, size, seed or "
                "version of the program. Delete it, or name another file with --out"
            )
        replace(described, text.encode())

    def fitted(self, fit: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """Return the arrays of an earlier call; the first one stores the result of `fit`."""
        file = self.folder / FITTED
        if not file.exists():
            buffer = io.BytesIO()
            np.savez(buffer, allow_pickle=False, **fit())
            replace(file, buffer.getvalue())
        with np.load(file) as arrays:
            return dict(arrays)

    def has(self, number: int) -> bool:
        """Return whether a shard is complete."""
        return self._path(number).exists()

    def write(self, number: int, features: np.ndarray) -> None:
        """Store a shard, (rows, width) float16."""
        buffer = io.BytesIO()
        np.save(buffer, features, allow_pickle=False)
        replace(self._path(number), buffer.getvalue())

    def join(self, count: int, columns: Mapping[str, np.ndarray]) -> int:
        """Write the file, of `count` shards, and remove the folder; return the features' width.

        The file appears at once, complete. Memory does not grow with the number of shards.

        Raises:
            DataError: a shard has another width than the first one.
        """
        joined = self.folder / JOINED
        shapes = [np.load(self._path(number), mmap_mode="r").shape for number in range(count)]
        width = shapes[0][1]
        for number, shape in enumerate(shapes):
            if shape[1] != width:
                raise DataError(
                    f"images from row {number * ROWS} have {shape[1]} features, and the first ones "
                    f"{width}"
                )
        rows = sum(shape[0] for shape in shapes)
        with zipfile.ZipFile(joined, "w", zipfile.ZIP_STORED) as archive:
            with archive.open(_member("features"), "w", force_zip64=True) as member:
                _write_header(member, (rows, width))
                for number in range(count):
                    member.write(np.load(self._path(number)).tobytes())
            for name, column in columns.items():
                with archive.open(_member(name), "w", force_zip64=True) as member:
                    np.save(member, column, allow_pickle=False)
        joined.replace(self._out)
        shutil.rmtree(self.folder)
        return int(width)

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06}.npy"


def _member(name: str) -> zipfile.ZipInfo:
    """Return the entry of an array; without a time, so that equal arrays are equal files."""
    return zipfile.ZipInfo(f"{name}.npy")


def _write_header(stream: IO[bytes], shape: tuple[int, int]) -> None:
    """Write the header of an array of float16 in C order."""
    described = {"descr": "<f2", "fortran_order": False, "shape": shape}
    npy.write_array_header_1_0(stream, described)


def replace(path: Path, content: bytes) -> None:
    """Write a file so that it has the old or the new content after a kill, and never a part."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
