"""Write the image sets of studies/real_images.yaml, methods_fashion.yaml and paper_orderings.yaml.

    python -m benchmarks.real_images data --fashion FOLDER --cifar FILE.npz

FOLDER has Fashion-MNIST's four IDX files (Debian's package `dataset-fashion-mnist` has them in
/usr/share/datasets/fashion-mnist). FILE.npz has CIFAR-10 in the layout of `data.name: npz`, with at
least 400 training and 300 test images of each class.

Two files of each set are written, with different images: a recipe is chosen on the first
(`fashion_choice.npz`, `cifar_choice.npz`) and tested on the second (`fashion.npz`, `cifar.npz`).
Fashion-MNIST has 3,000 training and 3,000 test images, CIFAR-10 2,000 and 1,500. Blocks of 2×2
pixels are averaged: on two cores of a CPU the studies take hours even so.
"""

import argparse
from pathlib import Path

import numpy as np

from benchmarks.images import halved, idx, of_each_class, written

FASHION = {"train": 300, "test": 300}
CIFAR = {"train": 200, "test": 150}
"""Images of each class in a file."""


def main() -> None:
    """Write the files that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, help="folder to write to")
    parser.add_argument("--fashion", type=Path, help="folder of Fashion-MNIST's IDX files")
    parser.add_argument("--cifar", type=Path, help="CIFAR-10 as .npz")
    options = parser.parse_args()
    if options.fashion:
        whole = {}
        for split, prefix in (("train", "train"), ("test", "t10k")):
            whole[f"{split}_images"] = idx(options.fashion / f"{prefix}-images-idx3-ubyte.gz")
            labels = idx(options.fashion / f"{prefix}-labels-idx1-ubyte.gz")
            whole[f"{split}_labels"] = labels.astype(np.int64)
        write_halves(whole, FASHION, options.out, "fashion")
    if options.cifar:
        with np.load(options.cifar) as arrays:
            whole = {name: arrays[name] for name in arrays.files}
        write_halves(whole, CIFAR, options.out, "cifar")


def write_halves(
    whole: dict[str, np.ndarray], counts: dict[str, int], out: Path, name: str
) -> None:
    """Write the first `counts` images of each class to one file, and the next ones to another."""
    for turn, file in enumerate((f"{name}_choice.npz", f"{name}.npz")):
        arrays = {}
        for split, count in counts.items():
            labels = whole[f"{split}_labels"].reshape(-1).astype(np.int64)
            rows = of_each_class(labels, count, turn * count)
            if len(rows) < count * len(np.unique(labels)):
                raise SystemExit(
                    f"{name} has too few {split} images: {2 * count} of each class are needed"
                )
            arrays[f"{split}_images"] = halved(whole[f"{split}_images"][rows])
            arrays[f"{split}_labels"] = labels[rows]
        print(written(out / file, arrays))


if __name__ == "__main__":
    main()
