"""Headers of arrays: shape and type before the array is read."""

import io

import numpy as np
import pytest
from numpy.lib import format as npy

from trainable.data.npy_header import read_header, reading
from trainable.errors import DataError


def written(array: np.ndarray, version: tuple[int, int] | None = None) -> io.BytesIO:
    stream = io.BytesIO()
    npy.write_array(stream, array, version)
    stream.seek(0)
    return stream


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
@pytest.mark.parametrize("array", [np.arange(6.0).reshape(2, 3), np.array(["a", "bc"])])
def test_the_array_follows_its_header(array, version):
    stream = written(array, version)
    shape, kind = read_header(stream, "a")
    assert (shape, kind) == (array.shape, array.dtype)
    assert stream.read() == array.tobytes()


def test_fortran_order_is_refused():
    with pytest.raises(DataError, match=r"^a is in Fortran order: save np\.ascontiguousarray"):
        read_header(written(np.asfortranarray(np.ones((2, 3)))), "a")
    assert read_header(written(np.asfortranarray(np.ones(3))), "a")[0] == (3,)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (ValueError("no magic"), "f.npz: a cannot be read: no magic"),
        (PermissionError(13, "Permission denied", "f.npz"), "a cannot be read: Permission denied"),
        (OSError("short"), "a cannot be read: short"),
        (DataError("as it is"), "^as it is"),
    ],
)
def test_errors_name_the_file_and_the_part(tmp_path, error, message):
    with pytest.raises(DataError, match=message), reading(tmp_path / "f.npz", "a"):
        raise error
