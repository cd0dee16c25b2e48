"""How well label errors are found with features: the audit, cleanlab, AUM and neighbours alone.

    pip install -e '.[bench]'                       (cleanlab; without it its rows are left out)
    python benchmarks/audit_embeddings.py [--out DIR] [--seeds 1 2 3] [--cells 'text_*']
                                          [--only-show] [--fashion FOLDER]

As `benchmarks/audit.py`, whose budgets and tables these are, with `data.name: embeddings` and
`model.name: mlp`. Data sets: a mixture of Gaussians seen through random ReLU units; Fashion-MNIST
through `embed --model random`; the digits' principal components; docstrings of ten installed
packages through TF-IDF and TruncatedSVD.
"""

import sys
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks import audit, audit_cells, audit_figures  # noqa: E402
from benchmarks.audit_cells import MAPS, NOISES  # noqa: E402
from benchmarks.text_set import docstrings_by_package  # noqa: E402
from trainable.config.runtime import Machine  # noqa: E402
from trainable.config.trial import TrialConfig  # noqa: E402
from trainable.embedding.embed import Request, embed  # noqa: E402

CLASSES = 10
PAIRS = [1, 0, 3, 2, 5, 4, 7, 6, 8, 9]
"""The class that each class is taken for under the noise `map40`, of synthetic data and text."""
LATENT, SPREAD, WIDTH = 16, 0.83, 128
"""Dimensions of the mixture, standard deviation of its means, and number of random ReLU units."""
PER_CLASS, TESTS_PER_CLASS = 100, 50
"""Training and test rows of each class; the digits are all there are."""
TEXT_WIDTH = 128


@dataclass(frozen=True)
class FeatureCell:
    """One data set with one noise; see `benchmarks.audit_cells.Cell`."""

    data: str
    noise: str
    epochs: int = 16

    @property
    def name(self) -> str:
        """`text_map40_16`."""
        return f"{self.data}_{self.noise}_{self.epochs}"

    def config(self, seed: int, file: Path | None) -> TrialConfig:
        """Return DivideMix on the cell; `file`: the features."""
        noise = NOISES[self.noise]
        if self.noise == "map40":
            noise = {**noise, "map": MAPS.get(self.data, PAIRS)}
        return TrialConfig.model_validate(
            {
                "seed": seed,
                "data": {"name": "embeddings", "path": str(file), "validation_fraction": 0.1},
                "noise": noise,
                "model": {"name": "mlp", "width": 128},
                "train": {"epochs": self.epochs, "lr": 0.05, "batch_size": 128},
                "method": {
                    "name": "dividemix",
                    "warmup_epochs": self.epochs // 3,
                    "conf_penalty": "on",
                },
            }
        )


CELLS = [
    FeatureCell(data, noise)
    for data in ("synthetic", "fashion", "digits", "text")
    for noise in ("sym20", "sym40", "sym60", "map40")
]


def main() -> None:
    """Train what is missing, and print."""
    options = audit.parser_of(str(__doc__), Path("results/audit_embeddings")).parse_args()
    cells = [cell for cell in CELLS if fnmatch(cell.name, options.cells)]
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    if not options.only_show:
        wanted = sorted({cell.data for cell in cells})
        files = {name: features(name, out, options.fashion) for name in wanted}
        for seed in options.seeds:
            for cell in cells:
                if files[cell.data] is not None:
                    audit.train(cell, seed, files[cell.data], out)
    audit_figures.show(cells, options.seeds, out, lambda name: features(name, out, None))


def features(name: str, out: Path, fashion: Path | None) -> Path | None:
    """Return the file of features of a data set, made if it is absent; None: it cannot be made."""
    file = out / f"{name}.npz"
    if file.exists():
        return file
    match name:
        case "synthetic":
            _write(file, **synthetic())
        case "text":
            _write(file, **text())
        case "digits":
            embed(Request("digits", "pca"), file, Machine(), lambda done, total: None)
        case "fashion":
            if fashion is None:
                return None
            images = audit_cells.fashion(fashion, out / "images", PER_CLASS, halved=False)
            embed(Request(str(images), "random"), file, Machine(), lambda done, total: None)
    return file


def synthetic() -> dict[str, np.ndarray]:
    """Return a mixture of ten Gaussians seen through random ReLU units.

    A sample is its class's mean plus standard normal noise in 16 dimensions.
    """
    rng = np.random.default_rng(0)
    counts = {"train": PER_CLASS, "test": TESTS_PER_CLASS}
    means = rng.normal(0, SPREAD, (CLASSES, LATENT))
    units = rng.normal(0, LATENT**-0.5, (LATENT, WIDTH))
    labels = np.concatenate([np.repeat(np.arange(CLASSES), n) for n in counts.values()])
    split = np.repeat(np.array(list(counts)), [CLASSES * n for n in counts.values()])
    latent = means[labels] + rng.normal(size=(len(labels), LATENT))
    seen = np.maximum(latent @ units + rng.normal(0, 0.5, WIDTH), 0)
    return {"features": seen, "labels": labels, "split": split}


def bayes_error() -> float:
    """Return the error of the best classifier of the synthetic data, by 100,000 samples."""
    rng = np.random.default_rng(0)
    means = rng.normal(0, SPREAD, (CLASSES, LATENT))
    labels = rng.integers(0, CLASSES, 100_000)
    latent = means[labels] + rng.normal(size=(len(labels), LATENT))
    distance = (means**2).sum(1) - 2 * latent @ means.T
    return float((distance.argmin(1) != labels).mean())


def text() -> dict[str, np.ndarray]:
    """Return docstrings of ten packages by TF-IDF and TruncatedSVD."""
    texts, labels = docstrings_by_package(PER_CLASS + TESTS_PER_CLASS, seed=0)
    words = TfidfVectorizer(sublinear_tf=True, min_df=2, stop_words="english")
    reduced = TruncatedSVD(TEXT_WIDTH, random_state=0).fit_transform(words.fit_transform(texts))
    names, classes = np.unique(labels, return_inverse=True)
    rank = np.zeros(len(labels), int)
    rng = np.random.default_rng(0)
    for label in range(len(names)):
        rows = np.flatnonzero(classes == label)
        rank[rng.permutation(rows)] = np.arange(len(rows))
    split = np.where(rank < TESTS_PER_CLASS, "test", "train")
    return {"features": reduced, "labels": np.array(labels), "split": split}


def _write(file: Path, **arrays: Any) -> None:
    """Write a file of features, float16."""
    arrays["features"] = arrays["features"].astype(np.float16)
    np.savez(file, **arrays)


if __name__ == "__main__":
    main()
