"""Headers of arrays in NumPy's format, read without the array."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib import format as npy

from trainable.errors import DataError


def read_header(stream: IO[bytes], where: str) -> tuple[tuple[int, ...], np.dtype]:
    """Read the header of an array; return its shape and type. The array itself comes next.

    Args:
        stream: the array as `np.save` writes it.
        where: name of the array in messages.

    Raises:
        DataError: the array is in Fortran order.
        ValueError: there is no header.
    """
    version = npy.read_magic(stream)
    if version == (1, 0):
        shape, by_columns, kind = npy.read_array_header_1_0(stream)
    else:
        shape, by_columns, kind = npy.read_array_header_2_0(stream)
    if by_columns and len(shape) > 1:
        raise DataError(f"{where} is in Fortran order: save np.ascontiguousarray of it")
    return shape, kind


@contextmanager
def reading(path: Path, what: str) -> Iterator[None]:
    """Read a part of a file in the block; what goes wrong becomes a DataError that names both."""
    try:
        yield
    except DataError:
        raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(f"{path}: {what} cannot be read: {reason}") from None
    except Exception as error:  # zipfile, zlib and NumPy raise many types for damaged files
        raise DataError(f"{path}: {what} cannot be read: {error}") from None
