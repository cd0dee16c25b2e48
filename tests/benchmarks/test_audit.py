"""The benchmark of the label audit, as short as it can be: every method ranks, files are kept, tables are printed."""

import gzip
from importlib.util import find_spec

import numpy as np
import pandas as pd
import pytest

from benchmarks import audit, audit_cells, audit_figures
from benchmarks.audit_cells import Cell

pytestmark = pytest.mark.slow
SHORT = [Cell("digits", "sym40", 3, 4), Cell("digits", "map40", 3, 4)]


def test_all_methods_rank_and_what_is_trained_is_kept(tmp_path, capsys):
    for cell in SHORT:
        audit.train(cell, 0, None, tmp_path)
    files = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")}
    assert len(files) == 2
    audit.train(SHORT[0], 0, None, tmp_path)
    assert {path: path.stat().st_mtime_ns for path in tmp_path.glob("*.npz")} == files
    audit_figures.show(SHORT, [0], tmp_path)
    table = pd.read_csv(tmp_path / "figures.csv")
    methods = ["audit", *(["cleanlab"] if find_spec("cleanlab") else []), "aum"]
    assert table["method"].tolist() == 2 * methods
    assert table[list(audit_figures.MEASURES)].stack().between(0, 1).all()
    printed = capsys.readouterr().out
    assert printed.count("| digits_map40_3 |") == len(methods) + 2


def test_without_files_it_is_said(tmp_path, capsys):
    audit_figures.show(SHORT, [0], tmp_path)
    assert "has no files of these cells" in capsys.readouterr().err


def test_fashion_mnist_is_read_from_idx_files_and_halved(tmp_path):
    rng = np.random.default_rng(0)
    for prefix, count in (("train", 2100), ("t10k", 1100)):
        images = np.repeat(rng.integers(0, 256, (count, 14, 14), dtype=np.uint8), 2, axis=1)
        images = np.repeat(images, 2, axis=2)
        write_idx(tmp_path / f"{prefix}-images-idx3-ubyte.gz", images)
        labels = (np.arange(count) % 10).astype(np.uint8)
        write_idx(tmp_path / f"{prefix}-labels-idx1-ubyte.gz", labels)
    with np.load(audit_cells.fashion(tmp_path, tmp_path / "out")) as arrays:
        assert arrays["train_images"].shape == (2000, 14, 14)
        assert np.bincount(arrays["train_labels"]).tolist() == 10 * [200]
        assert np.bincount(arrays["test_labels"]).tolist() == 10 * [100]
        assert arrays["test_images"].dtype == np.uint8


def write_idx(path, array):
    """An array of bytes in the IDX format."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">i4").tobytes()
    path.write_bytes(gzip.compress(header + array.tobytes()))
