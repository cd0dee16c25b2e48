"""Data sets and label noises on which the audit is compared with other methods."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from benchmarks import images as images_of
from trainable.config.trial import TrialConfig

PER_CLASS = 200
"""Training images of each class of Fashion-MNIST and CIFAR-10."""
MAPS = {
    "digits": [0, 1, 7, 8, 4, 6, 5, 1, 8, 9],
    "fashion": [6, 1, 4, 3, 2, 7, 0, 9, 8, 9],
    "cifar": "cifar10",
}
"""The class that each class is taken for under the noise `map40`."""
NOISES: dict[str, dict[str, Any]] = {
    "sym20": {"name": "symmetric", "rate": 0.2, "include_true": False},
    "sym40": {"name": "symmetric", "rate": 0.4, "include_true": False},
    "sym60": {"name": "symmetric", "rate": 0.6, "include_true": False},
    "sym80": {"name": "symmetric", "rate": 0.8, "include_true": False},
    "map40": {"name": "asymmetric", "rate": 0.4},
    "instance40": {"name": "instance", "rate": 0.4},
}


class TrainableCell(Protocol):
    """A data set with a noise and a budget."""

    @property
    def data(self) -> str:
        """Name of the data set."""

    @property
    def name(self) -> str:
        """Name of the cell."""

    def config(self, seed: int, file: Path | None) -> TrialConfig:
        """Return DivideMix on the cell; `file`: the data."""


@dataclass(frozen=True)
class Cell:
    """One data set with one noise and one budget.

    Attributes:
        data: digits, fashion or cifar.
        noise: a name of `NOISES`.
        epochs: of the audited trial and of plain training.
        width: of `small_cnn`.
    """

    data: str
    noise: str
    epochs: int = 30
    width: int = 32

    @property
    def name(self) -> str:
        """`fashion_map40_12`."""
        return f"{self.data}_{self.noise}_{self.epochs}"

    def config(self, seed: int, file: Path | None) -> TrialConfig:
        """Return DivideMix on the cell; `file`: the arrays, None for digits."""
        data: dict[str, Any] = {"name": "digits"}
        if file is not None:
            data = {"name": "npz", "path": str(file), "crop_padding": 1}
        noise = NOISES[self.noise]
        if self.noise == "map40":
            noise = {**noise, "map": MAPS[self.data]}
        return TrialConfig.model_validate(
            {
                "seed": seed,
                "data": {**data, "validation_fraction": 0.1},
                "noise": noise,
                "model": {"name": "small_cnn", "width": self.width},
                "train": {"epochs": self.epochs, "lr": 0.02},
                "method": {
                    "name": "dividemix",
                    "warmup_epochs": self.epochs // 3,
                    "conf_penalty": "on",
                },
            }
        )


CELLS = [
    *(Cell("digits", noise) for noise in NOISES),
    *(Cell("fashion", noise, epochs) for epochs in (12, 40) for noise in ("sym40", "map40")),
    Cell("fashion", "instance40", 12),
    *(Cell("cifar", noise, 24, 24) for noise in ("sym40", "map40")),
]


def fashion(folder: Path, out: Path, per_class: int = PER_CLASS, halved: bool = True) -> Path:
    """Write Fashion-MNIST at 14×14 pixels from IDX files in `folder`; return the file.

    `per_class`: training images of each class. `halved=False` keeps the 28×28 pixels.
    """
    arrays = {}
    for split, prefix, count in (("train", "train", per_class), ("test", "t10k", 100)):
        images = images_of.idx(folder / f"{prefix}-images-idx3-ubyte.gz")
        labels = images_of.idx(folder / f"{prefix}-labels-idx1-ubyte.gz")
        rows = images_of.of_each_class(labels, count)
        arrays[f"{split}_images"] = images_of.halved(images[rows]) if halved else images[rows]
        arrays[f"{split}_labels"] = labels[rows].astype(np.int64)
    return images_of.written(out / "fashion.npz", arrays)


def cifar(file: Path, out: Path) -> Path:
    """Write CIFAR-10 at 16×16 pixels from an .npz in the layout of `data.name: npz`."""
    arrays = {}
    with np.load(file) as source:
        for split, count in (("train", PER_CLASS), ("test", 100)):
            labels = source[f"{split}_labels"].reshape(-1).astype(np.int64)
            rows = images_of.of_each_class(labels, count)
            arrays[f"{split}_images"] = images_of.halved(source[f"{split}_images"][rows])
            arrays[f"{split}_labels"] = labels[rows]
    return images_of.written(out / "cifar.npz", arrays)
