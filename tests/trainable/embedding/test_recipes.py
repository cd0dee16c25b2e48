"""The recipes of docs/embeddings.md are run as they are written, on real text and a real table."""

import ast
import re
import shutil
import statistics
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression

from trainable.config.embeddings import Embeddings
from trainable.config.runtime import Machine
from trainable.data.registry import load

DOCS = Path(__file__).parents[3] / "docs" / "embeddings.md"


def recipe(first_line: str) -> str:
    """The Python block that begins with this comment."""
    blocks = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    (found,) = [block for block in blocks if block.startswith(f"# {first_line}")]
    return found


def test_accuracy(file: Path) -> float:
    """Accuracy of a linear classifier on the test set that is held out."""
    arrays = load(Embeddings(path=str(file.resolve())), Machine())
    train = arrays.trained
    vectors = arrays.train.images.load(train).astype(float)
    classifier = LogisticRegression(max_iter=2000).fit(vectors, arrays.train.labels[train])
    return classifier.score(
        arrays.test.images.load(np.arange(len(arrays.test))), arrays.test.labels
    )


test_accuracy.__test__ = False


def docstrings(module) -> list[str]:
    """Docstrings of a module's functions and classes, read from its source."""
    tree = ast.parse(Path(module.__file__).read_text(encoding="utf-8"))
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    return [text for node in nodes if (text := ast.get_docstring(node))]


def test_text_becomes_features_that_tell_classes_apart(tmp_path, monkeypatch):
    import argparse
    import logging
    import pathlib
    import tarfile

    monkeypatch.chdir(tmp_path)
    modules = (argparse, logging, pathlib, tarfile, statistics, shutil)
    rows = [(text, module.__name__) for module in modules for text in docstrings(module)]
    table = pd.DataFrame(rows, columns=["text", "label"])
    table = table.drop_duplicates("text")
    table = table[table["label"].map(table["label"].value_counts()) >= 10]
    assert table["label"].nunique() >= 3
    table.to_csv("texts.csv", index=False)
    exec(recipe("text: texts.csv"), {})
    with np.load("text.npz") as content:
        assert content["features"].dtype == np.float16
        assert set(content["text"]) <= {text.strip() for text in table["text"]} | set(table["text"])
    largest = table["label"].value_counts(normalize=True).max()
    assert test_accuracy(Path("text.npz")) > largest + 0.15


def test_a_table_with_numbers_names_and_gaps_becomes_features(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    wine = load_wine(as_frame=True)
    table = wine.data.copy()
    table["colour"] = pd.cut(table.pop("color_intensity"), 3, labels=["pale", "medium", "dark"])
    table.iloc[3, 0] = np.nan
    table["label"] = wine.target_names[wine.target]
    table.to_csv("table.csv", index=False)
    exec(recipe("tables: table.csv"), {})
    with np.load("table.npz") as content:
        assert content["features"].shape == (178, 12 + 3)
    assert test_accuracy(Path("table.npz")) > 0.85
