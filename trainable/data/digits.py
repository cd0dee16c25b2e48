"""The handwritten digits that come with scikit-learn, read from its file.

Its own reader would import the library, SciPy's statistics and pandas, which takes two seconds in
every process that trains: as long as the training of a short trial.
"""

import gzip
import importlib.util
from pathlib import Path

import numpy as np

from trainable.data.arrays import Arrays, Split, measured
from trainable.errors import DataError

FILE = "datasets/data/digits.csv.gz"
"""1,797 lines of 64 pixels, 0 to 16, and the digit (scikit-learn's documentation of
`load_digits`)."""
TEST_PER_CLASS = 36


def load() -> Arrays:
    """Return 1,437 training and 360 test images of 8×8 pixels.

    Raises:
        DataError: scikit-learn is not installed.
    """
    pixels, labels = _read()
    images = np.rint(pixels.reshape(-1, 8, 8, 1) * (255 / 16)).astype(np.uint8)
    rng = np.random.default_rng(0)
    held = [rng.permutation(np.flatnonzero(labels == c))[:TEST_PER_CLASS] for c in range(10)]
    test = np.sort(np.concatenate(held))
    train = np.delete(np.arange(len(labels)), test)
    return measured(
        Split(images[train], labels[train]), None, Split(images[test], labels[test]), classes=10
    )


def _read() -> tuple[np.ndarray, np.ndarray]:
    """Return pixels (n, 64), 0 to 16, and labels (n,)."""
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise DataError("data.name: digits needs scikit-learn: pip install scikit-learn")
    with gzip.open(Path(package.origin).parent / FILE) as file:
        table = np.loadtxt(file, delimiter=",", dtype=np.int64)
    return table[:, :-1], table[:, -1]
