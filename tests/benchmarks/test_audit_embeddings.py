"""The benchmark of the audit of features: real text, synthetic features, and a cell that is as short as it can be."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import audit, audit_embeddings, audit_figures
from benchmarks.audit_embeddings import FeatureCell
from benchmarks.text_set import docstrings_by_package


def test_docstrings_are_real_text_of_different_packages():
    texts, labels = docstrings_by_package(5, 0, ("optuna", "timm"))
    assert labels == 5 * ["optuna"] + 5 * ["timm"]
    assert len(set(texts)) == 10
    assert docstrings_by_package(5, 0, ("optuna", "timm"))[0] == texts
    assert all(len(text.split()) >= 20 for text in texts)


def test_synthetic_features_have_a_bayes_error_of_about_a_tenth():
    content = audit_embeddings.synthetic()
    assert content["features"].shape == (1500, 128)
    assert np.bincount(content["labels"]).tolist() == 10 * [150]
    assert 0.05 < audit_embeddings.bayes_error() < 0.15


@pytest.mark.slow
def test_a_cell_is_trained_and_shown_with_neighbours(tmp_path, capsys):
    cell = FeatureCell("synthetic", "sym40", 3)
    file = audit_embeddings.features("synthetic", tmp_path, None)
    audit.train(cell, 0, file, tmp_path)
    audit_figures.show([cell], [0], tmp_path, lambda name: file)
    table = pd.read_csv(tmp_path / "figures.csv")
    assert {"audit", "aum", "neighbours"} <= set(table["method"])
    assert table["AUC"].between(0.5, 1).all()
    assert "| synthetic_sym40_3 | neighbours |" in capsys.readouterr().out


def test_without_fashion_mnist_its_features_are_left_out(tmp_path):
    assert audit_embeddings.features("fashion", tmp_path, None) is None
