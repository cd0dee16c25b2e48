"""Shared fixtures. Tests leave no process, port or file behind."""

import os

# One thread a trial, decided before torch is imported: two threads on busy cores are slower than one.
os.environ.setdefault("OMP_NUM_THREADS", "1")

from pathlib import Path

import pytest

MATERIAL = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def material() -> Path:
    """Golden values and photographs that lie outside the repository; tests that need them skip without."""
    if not MATERIAL.is_dir():
        pytest.skip(f"needs {MATERIAL}, which is not part of the repository")
    return MATERIAL
