"""Real text without a download: docstrings of installed packages, classified by package."""

import ast
import importlib.util
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

PACKAGES = (
    "numpy",
    "scipy",
    "sklearn",
    "pandas",
    "torch",
    "torchvision",
    "matplotlib",
    "networkx",
    "ray",
    "optuna",
)
LEAST_WORDS = 20
"""Shorter docstrings are left out."""


def docstrings(package: str, rng: np.random.Generator) -> Iterator[str]:
    """Yield the docstrings of a package's functions and classes, each once, files in random order.

    The files are parsed and not executed. Tests are left out.
    """
    found = importlib.util.find_spec(package)
    assert found is not None
    assert found.submodule_search_locations
    seen = set()
    files = sorted(Path(found.submodule_search_locations[0]).rglob("*.py"))
    for position in rng.permutation(len(files)):
        file = files[position]
        if "tests" in file.parts or "_vendor" in file.parts:
            continue
        try:
            tree = ast.parse(file.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                text = ast.get_docstring(node) or ""
                if len(text.split()) >= LEAST_WORDS and text not in seen:
                    seen.add(text)
                    yield text


def docstrings_by_package(
    per_class: int, seed: int, packages: tuple[str, ...] = PACKAGES
) -> tuple[list[str], list[str]]:
    """Return docstrings, `per_class` of each package drawn at random, and their packages.

    They are drawn from four times as many, of files in random order.
    """
    rng = np.random.default_rng(seed)
    texts: list[str] = []
    labels: list[str] = []
    for package in packages:
        every = list(islice(docstrings(package, rng), 4 * per_class))
        chosen = np.sort(rng.choice(len(every), min(per_class, len(every)), replace=False))
        texts += [every[row] for row in chosen]
        labels += [package] * len(chosen)
    return texts, labels
