"""Shared fixtures. Tests leave no process, port or file behind."""

import json
import os

# One thread a trial, decided before torch is imported: two threads on busy cores are slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path
from typing import Any

import pytest

VECTORS = Path(__file__).parent / "trainable" / "vectors.json"
PHOTOGRAPHS = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def vectors() -> dict[str, Any]:
    """Results of the authors' own functions on small inputs (docs/golden-values.md); a test must not change them."""
    return dict(json.loads(VECTORS.read_text()))


@pytest.fixture(scope="session")
def cifar10_photographs() -> Path:
    """Folder with CIFAR-10 as JPEG files, outside the repository; tests that need it skip without."""
    if not (PHOTOGRAPHS / "cifar10_jpeg.npz").is_file():
        pytest.skip(
            f"needs {PHOTOGRAPHS / 'cifar10_jpeg.npz'}, which is not part of the repository"
        )
    return PHOTOGRAPHS
