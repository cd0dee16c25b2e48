"""Simulated test sets with wrong labels, for `benchmarks/checked_labels.py`.

A simulation draws six of twelve seeds of two arms (with replacement, so that the twelve are all
seeds there are), the noise of the test labels, and the images whose labels are checked.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.stats.checked_labels import CheckedLabels, agreement, differing
from analysis.stats.unchecked_labels import symmetric_transition
from benchmarks.trained_predictions import mislead

SEEDS = 6
CLASSES = 10


@dataclass(frozen=True)
class Material:
    """True labels (N,), images, and predictions (seeds, epochs, N) by arm."""

    labels: np.ndarray
    images: np.ndarray
    arms: dict[str, np.ndarray]


@dataclass(frozen=True)
class Pair:
    """Two arms, their predictions (seeds, epochs, N)."""

    name: str
    arm: np.ndarray
    baseline: np.ndarray


Noise = Callable[[np.random.Generator, Material, np.ndarray, np.ndarray], np.ndarray]
"""Draws unchecked labels (N,) from the material and the predictions of both arms."""


# --- material ---


def load(file: Path) -> Material:
    """Read what `benchmarks/trained_predictions.py` wrote."""
    with np.load(file) as content:
        arms = {name: content[name] for name in content.files if "/" in name}
        return Material(content["labels"], content["images"], arms)


def pairs(material: Material) -> list[Pair]:
    """Return the compared arms."""
    found = []
    for noise in ("random", "by image"):
        baseline = material.arms[f"{noise}/plain"]
        for arm in ("dividemix", "mixup"):
            found.append(Pair(f"{arm}, trained {noise}", material.arms[f"{noise}/{arm}"], baseline))
    return [*found, nearly_equal(found[1])]


def nearly_equal(pair: Pair) -> Pair:
    """Return the baseline and a copy with the arm's predictions for 1 % of the images."""
    differ = differing(pair.arm, pair.baseline)
    replaced = np.random.default_rng(0).choice(
        np.flatnonzero(differ > differ.max() / 2), len(differ) // 100, replace=False
    )
    arm = pair.baseline.copy()
    arm[..., replaced] = pair.arm[..., replaced]
    return Pair("differ on 1 % of the images", arm, pair.baseline)


def describe(pair: Pair, material: Material) -> None:
    """Print the true accuracies of a pair and on how many images it differs."""
    arm = 100 * agreement(pair.arm, material.labels).mean()
    baseline = 100 * agreement(pair.baseline, material.labels).mean()
    differ = 100 * differing(pair.arm, pair.baseline)
    print(
        f"{pair.name}: {arm:.1f} and {baseline:.1f} % accurate, difference {arm - baseline:+.2f}; "
        f"one pair of networks differs on {differ.mean():.1f} % of the images, some pair on "
        f"{100 * (differ > 0).mean():.1f} %"
    )


# --- noise of the test labels ---


def symmetric(rate: float) -> Noise:
    """Return symmetric noise."""

    def draw(
        rng: np.random.Generator, material: Material, arm: np.ndarray, baseline: np.ndarray
    ) -> np.ndarray:
        return drawn(rng, material.labels, symmetric_transition(rate, CLASSES))

    return draw


def class_map(
    rng: np.random.Generator, material: Material, arm: np.ndarray, baseline: np.ndarray
) -> np.ndarray:
    """Move 30 % of the images of each class to its neighbor: 0 and 1, 2 and 3, …."""
    return drawn(rng, material.labels, MAP)


def by_image(
    rng: np.random.Generator, material: Material, arm: np.ndarray, baseline: np.ndarray
) -> np.ndarray:
    """Mislabel the 30 % that look most like another class, by the rule of the training labels."""
    return mislead(material.images, material.labels, 0.3, rng)


def against_the_arm(
    rng: np.random.Generator, material: Material, arm: np.ndarray, baseline: np.ndarray
) -> np.ndarray:
    """Label half of the images as the baseline does on which only the arm is right.

    It is the worst case: the labels are wrong only where they favor the baseline.
    """
    of_arm = arm[0, -1]
    of_baseline = baseline[0, -1]
    only_arm = (of_arm == material.labels) & (of_baseline != material.labels)
    moved = only_arm & (rng.random(len(only_arm)) < 0.5)
    return np.where(moved, of_baseline, material.labels)


def drawn(rng: np.random.Generator, labels: np.ndarray, transition: np.ndarray) -> np.ndarray:
    """Draw a label for each image from the row of its class."""
    upper = transition.cumsum(axis=1)[labels]
    found: np.ndarray = (rng.random((len(labels), 1)) > upper[:, :-1]).sum(axis=1)
    return found


MAP = 0.7 * np.eye(CLASSES) + 0.3 * np.eye(CLASSES)[np.arange(CLASSES) ^ 1]
NOISES: dict[str, Noise] = {
    "symmetric 40 %": symmetric(0.4),
    "symmetric 2 %": symmetric(0.02),
    "class map 30 %": class_map,
    "by image 30 %": by_image,
    "against the arm": against_the_arm,
}


# --- simulations ---


@dataclass(frozen=True)
class Study:
    """One simulation: predictions (SEEDS, epochs, N) of both arms, and unchecked labels (N,)."""

    arm: np.ndarray
    baseline: np.ndarray
    unchecked: np.ndarray


def studies(material: Material, pair: Pair, noise: Noise, count: int) -> Iterator[Study]:
    """Yield simulations of a pair of arms; the first ones are the same for every count."""
    for number in range(count):
        rng = np.random.default_rng([number, 1])
        seeds = rng.integers(0, len(pair.arm), SEEDS)
        arm = pair.arm[seeds]
        baseline = pair.baseline[seeds]
        yield Study(arm, baseline, noise(rng, material, arm, baseline))


def check(material: Material, study: Study, checked: int, number: int) -> CheckedLabels:
    """Check the labels of random images."""
    rows = np.random.default_rng([number, 2]).permutation(len(study.unchecked))[:checked]
    return CheckedLabels(study.unchecked, rows, material.labels[rows])
