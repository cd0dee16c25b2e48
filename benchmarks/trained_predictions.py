"""Predictions of trained networks for a test set, the material of `benchmarks/checked_labels.py`.

    python -m benchmarks.trained_predictions OUT.npz [--seeds 12] [--epochs 30] [--fashion FOLDER]

The data are scikit-learn's digits, divided anew: 797 training and 1,000 test images; or 2,000 and
1,000 images of Fashion-MNIST at 14×14 pixels, from the IDX files in FOLDER. There are two sets of
training labels: 40 % wrong at random, and 30 % wrong by a rule that looks at the images (see
`mislead`), which also defines the image-dependent noise of the test labels. Plain training, MixUp
and DivideMix are trained on each with the same seeds. Kept are the ensemble's predictions for the
test images after each of the last five epochs, and the true labels.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np

from benchmarks import audit_cells
from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.data import digits
from trainable.trial.trial import Trial

TEST_IMAGES = 1000
LAST_EPOCHS = 5
WRONG = 0.3
NOISES = {
    "random": {"name": "symmetric", "rate": 0.4, "include_true": False},
    "by image": {"name": "none"},
}
"""Noise that the trials add to the training labels; those of "by image" are wrong already."""


def main() -> None:
    """Train and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path, metavar="OUT.npz")
    parser.add_argument("--seeds", type=int, default=12)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--fashion", type=Path, help="folder of Fashion-MNIST's IDX files")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        clean = shuffled_digits()
        if options.fashion:
            with np.load(audit_cells.fashion(options.fashion, Path(folder))) as arrays:
                clean = dict(arrays)
        found = {"labels": clean["test_labels"], "images": clean["test_images"]}
        for noise in NOISES:
            file = Path(folder) / f"{noise}.npz"
            np.savez(file, **with_noise(clean, noise))
            for arm, method in methods(options.epochs).items():
                of_seeds = []
                for seed in range(options.seeds):
                    trial = Trial(configured(file, noise, method, seed, options.epochs), Machine())
                    of_seeds.append(last_predictions(trial))
                    share = 100 * (of_seeds[-1] == found["labels"]).mean()
                    print(
                        f"{noise}, {arm}, seed {seed}: {share:.1f} %", file=sys.stderr, flush=True
                    )
                found[f"{noise}/{arm}"] = np.stack(of_seeds).astype(np.int16)
    np.savez_compressed(options.out, **found)


def shuffled_digits() -> dict[str, np.ndarray]:
    """Return scikit-learn's digits in the layout of MedMNIST, divided anew in a random order."""
    arrays = digits.load()
    assert isinstance(arrays.train.images, np.ndarray)
    assert isinstance(arrays.test.images, np.ndarray)
    images = np.concatenate([arrays.train.images, arrays.test.images])
    labels = np.concatenate([arrays.train.labels, arrays.test.labels])
    order = np.random.default_rng(0).permutation(len(labels))
    test, train = np.split(order, [TEST_IMAGES])
    return {
        "train_images": images[train],
        "train_labels": labels[train],
        "test_images": images[test],
        "test_labels": labels[test],
    }


def with_noise(clean: dict[str, np.ndarray], noise: str) -> dict[str, np.ndarray]:
    """Return a data set whose training labels are wrong by image, if the noise is of this kind."""
    if noise != "by image":
        return clean
    rng = np.random.default_rng(1)
    noisy = mislead(clean["train_images"], clean["train_labels"], WRONG, rng)
    return {**clean, "train_noisy_labels": noisy}


def mislead(
    images: np.ndarray, labels: np.ndarray, rate: float, rng: np.random.Generator
) -> np.ndarray:
    """Return labels (n,) that are wrong on the images which look most like another class.

    An image looks like the class whose mean image is nearest. The `rate` of the images whose own
    class is the farthest, compared with the nearest other one, have that other class for a label. A
    little noise in the comparison makes every draw different.
    """
    flat = images.reshape(len(images), -1).astype(float)
    classes = int(labels.max()) + 1
    means = np.stack([flat[labels == c].mean(axis=0) for c in range(classes)])
    distances = np.linalg.norm(flat[:, None] - means, axis=2)
    rows = np.arange(len(labels))
    own = distances[rows, labels]
    distances[rows, labels] = np.inf
    other = distances.argmin(axis=1)
    likeness = own - distances[rows, other]
    likeness += rng.normal(0, likeness.std() / 4, len(labels))
    moved = np.argsort(-likeness)[: round(rate * len(labels))]
    given = labels.copy()
    given[moved] = other[moved]
    return given


def methods(epochs: int) -> dict[str, dict[str, object]]:
    """Return the fields of the arms' methods."""
    return {
        "plain": {"name": "cross_entropy"},
        "mixup": {"name": "mixup"},
        "dividemix": {"name": "dividemix", "warmup_epochs": epochs // 3},
    }


def configured(
    file: Path, noise: str, method: dict[str, object], seed: int, epochs: int
) -> TrialConfig:
    """Return the configuration of one trial."""
    return TrialConfig.model_validate(
        {
            "seed": seed,
            "data": {
                "name": "npz",
                "path": str(file),
                "validation_fraction": 0,
                "crop_padding": 1,  # as for the product's `digits`
                "crop_probability": 0.25,
            },
            "noise": NOISES[noise],
            "model": {"name": "small_cnn", "width": 32},
            "train": {"epochs": epochs, "batch_size": 32, "lr": 0.02},
            "method": method,
        }
    )


def last_predictions(trial: Trial) -> np.ndarray:
    """Train; return the ensemble's classes (last epochs, images) after each of the last epochs."""
    found = []
    for _ in trial:
        judgement = trial.method.predict_all(trial.data.test)
        found.append(judgement.ensemble_class.cpu().numpy())
    return np.stack(found[-LAST_EPOCHS:])


if __name__ == "__main__":
    main()
