"""The benchmark of the label audit, as short as it can be: every method ranks; a file's own noisy labels are taken."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "audit.py"
pytestmark = pytest.mark.slow


def table(*options: str) -> list[list[str]]:
    """The cells of the printed table, below its header."""
    short = ["--seeds", "1", "--epochs", "3", "--width", "4"]
    environment = os.environ | {"PYTHONPATH": str(BENCHMARK.parents[1])}
    command = [sys.executable, str(BENCHMARK), *options, *short]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert ("cleanlab is not installed" in done.stdout) == (find_spec("cleanlab") is None)
    rows = [line.strip("|").split("|") for line in done.stdout.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_all_methods_rank_digits_under_both_noises():
    rows = table()
    methods = ["audit", *(["cleanlab"] if find_spec("cleanlab") else []), "AUM"]
    noises = ("symmetric 40 %", "asymmetric 40 %")
    assert [row[:2] for row in rows] == [[noise, method] for noise in noises for method in methods]
    assert all(0 <= float(cell) <= 1 for row in rows for cell in row[3:6])
    assert [row[6] == "" for row in rows] == [row[1] == "AUM" for row in rows]


def test_noisy_labels_of_a_file_are_taken_as_they_are(tmp_path):
    rng = np.random.default_rng(0)
    images, test_images = rng.integers(0, 256, (2, 60, 8, 8), dtype=np.uint8)
    labels = np.arange(60) % 3
    noisy = np.where(np.arange(60) < 12, (labels + 1) % 3, labels)
    arrays = {"train_images": images, "train_labels": labels, "train_noisy_labels": noisy}
    np.savez(tmp_path / "mine.npz", **arrays, test_images=test_images, test_labels=labels)
    assert {row[0] for row in table(str(tmp_path / "mine.npz"))} == {"the file's own"}
