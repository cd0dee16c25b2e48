"""What estimates on unchecked test labels are worth, by simulation with real predictions.

    python -m benchmarks.trained_predictions PREDICTIONS.npz
    python -m benchmarks.checked_labels PREDICTIONS.npz [--simulations 1000]

A test set of 1,000 digits. A simulation draws six of twelve seeds of two arms (with replacement, so
that the twelve are all seeds there are), the noise of the test labels, and the images whose labels
are checked. The true values are known. Printed are:

1. how often intervals with 100 and 200 checked labels hold the true value, for the trained networks
   and for the arm, and how wide they are;
2. how often a difference is decided on unchecked labels, and whether rightly: as if they were true,
   by the declared structure of the noise, and with 200 checked labels.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

import numpy as np

from analysis.stats.checked_labels import (
    CheckedLabels,
    accuracy,
    agreement,
    difference,
    differing,
)
from analysis.stats.paired import mean_interval
from analysis.stats.unchecked_labels import (
    corrected_difference,
    symmetric_transition,
    transition_draws,
)
from benchmarks.trained_predictions import mislead

SEEDS = 6
CLASSES = 10
COUNTED = 500
"""Number of labels with a known true class, from which a transition matrix is estimated."""


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


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, metavar="PREDICTIONS.npz")
    parser.add_argument("--simulations", type=int, default=1000)
    options = parser.parse_args()
    material = load(options.file)
    for pair in pairs(material):
        describe(pair, material)
    print(f"\nIntervals, {options.simulations} simulations a row, 95 % promised")
    print(COVERAGE_HEAD)
    for pair in pairs(material):
        for name, noise in NOISES.items():
            for checked in (100, 200):
                row = coverage(material, pair, noise, checked, options.simulations)
                print(f"| {pair.name} | {name} | {checked} | {row} |", flush=True)
    print(f"\nVerdicts, {options.simulations} simulations a row")
    print(VERDICT_HEAD)
    together: dict[str, Decisions] = {}
    for pair in pairs(material):
        for name, noise in NOISES.items():
            for how, found in verdicts(material, pair, name, noise, options.simulations):
                print(f"| {pair.name} | {name} | {how} | {found.cells()} |", flush=True)
                together[how] = together[how] + found if how in together else found
    for how, found in together.items():
        print(f"| all pairs | all | {how} | {found.cells()} |")


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


COVERAGE_HEAD = """
held: networks (arm), percent of the simulations whose interval holds the truth; alone: by checked
labels alone; width: mean width ÷ that of checking alone, and this ÷ √(1 − ρ²); t: the same against
the plain t interval of the checked images, and how often that holds the truth

| pair | test noise | n | accuracy: held | alone | width | ÷ √(1−ρ²) | t | difference: held \
| alone | width | ÷ √(1−ρ²) | t | weight | ± points |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |"""


def coverage(material: Material, pair: Pair, noise: Noise, checked: int, count: int) -> str:
    """Return the cells of a row about intervals with checked labels."""
    true_arm = agreement(pair.arm, material.labels)
    true_change = true_arm - agreement(pair.baseline, material.labels)
    tallies = [Tally(100 * float(true.mean())) for true in (true_arm, true_change)]
    for number, study in enumerate(studies(material, pair, noise, count)):
        labels = check(material, study, checked, number)
        guessed = agreement(study.arm, study.unchecked)
        true = agreement(study.arm, material.labels)
        for tally, tuned in ((tallies[0].tuned, True), (tallies[0].alone, False)):
            tally.append(accuracy(study.arm, labels, tuned=tuned))
        tallies[0].add(guessed, true, labels.rows)
        guessed = guessed - agreement(study.baseline, study.unchecked)
        true = true - agreement(study.baseline, material.labels)
        for tally, tuned in ((tallies[1].tuned, True), (tallies[1].alone, False)):
            tally.append(difference(study.arm, study.baseline, labels, tuned=tuned))
        tallies[1].add(guessed, true, labels.rows)
    last = tallies[1].tuned
    weight = np.mean([each.weight for each in last])
    half = np.mean([each.high - each.low for each in last]) / 2
    cells = [tally.cells() for tally in tallies]
    return f"{cells[0]} | {cells[1]} | {weight:.2f} | {half:.2f}"


class Tally:
    """What the simulations of a row found about one quantity.

    Attributes:
        of_arm: its true value for all seeds, percent or points.
        tuned, alone: estimates of each simulation, with and without the unchecked labels.
    """

    def __init__(self, of_arm: float):
        self.of_arm = of_arm
        self.tuned: list = []
        self.alone: list = []
        self._true: list[float] = []
        self._plain: list[tuple[float, float]] = []
        self._unexplained: list[float] = []

    def add(self, guessed: np.ndarray, true: np.ndarray, rows: np.ndarray) -> None:
        """Add the values (seeds, N) by unchecked and by true labels, and the checked rows (n,)."""
        by_image = 100 * true.mean(axis=0)
        self._true.append(float(by_image.mean()))
        _, low, high = mean_interval(by_image[rows])
        left = np.sqrt(1 - len(rows) / len(by_image))
        middle = (low + high) / 2
        self._plain.append((middle - left * (middle - low), middle + left * (high - middle)))
        correlation = np.corrcoef(guessed.mean(axis=0), by_image)[0, 1]
        self._unexplained.append(1 - correlation**2)

    def cells(self) -> str:
        """Return coverage of the tuned interval and of checking alone, and the widths."""
        true = np.array(self._true)
        tuned = np.array([(each.low, each.high) for each in self.tuned])
        alone = np.array([(each.low, each.high) for each in self.alone])
        arm = np.array([(each.arm_low, each.arm_high) for each in self.tuned])
        arm_alone = np.array([(each.arm_low, each.arm_high) for each in self.alone])
        plain = np.array(self._plain)
        best = np.sqrt(np.mean(self._unexplained))
        width = _width(tuned) / _width(alone)
        of_plain = _width(tuned) / _width(plain) / best
        of_arm = np.full(len(true), self.of_arm)
        return (
            f"{_held(tuned, true):.1f} ({_held(arm, of_arm):.1f}) | "
            f"{_held(alone, true):.1f} ({_held(arm_alone, of_arm):.1f}) | "
            f"{width:.2f} | {width / best:.2f} | {of_plain:.2f}, {_held(plain, true):.1f}"
        )


def _width(intervals: np.ndarray) -> float:
    return float((intervals[:, 1] - intervals[:, 0]).mean())


def _held(intervals: np.ndarray, true: np.ndarray) -> float:
    """Return how many intervals (n, 2) hold the true values (n,), percent (a NaN does)."""
    missed = (true < intervals[:, 0] - 1e-9) | (true > intervals[:, 1] + 1e-9)
    return 100 * float(1 - missed.mean())


VERDICT_HEAD = """
decided: the interval for the arm does not hold 0; right, reversed: share of the decided ones with
the sign of the true difference over all seeds, and with the other one; as clean: share of the
decided ones that the same seeds decide alike on true labels

| pair | test noise | judged | decided, % | right, % | reversed, % | as clean, % |
| --- | --- | --- | --- | --- | --- | --- |"""


@dataclass(frozen=True)
class Decisions:
    """Numbers of simulations: all, decided, and of these right, reversed, and as clean."""

    simulations: int
    decided: int
    right: int
    reversed: int
    as_clean: int

    @classmethod
    def of(cls, given: np.ndarray, clean: np.ndarray, truth: float) -> "Decisions":
        """Count signs (n,), 0 where undecided; `clean`: those on true labels."""
        decided = given != 0
        right = decided & (given == truth)
        turned = decided & (given == -truth)
        as_clean = decided & (given == clean)
        return cls(len(given), *(int(each.sum()) for each in (decided, right, turned, as_clean)))

    def __add__(self, other: "Decisions") -> "Decisions":
        return Decisions(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def cells(self) -> str:
        """Return the share of the decided ones, and their shares, percent."""
        share = 100 * self.decided / self.simulations
        if not self.decided:
            return f"{share:.1f} | – | – | –"
        of_decided = (self.right, self.reversed, self.as_clean)
        return " | ".join(
            f"{each:.1f}" for each in (share, *(100 * count / self.decided for count in of_decided))
        )


def verdicts(
    material: Material, pair: Pair, name: str, noise: Noise, count: int
) -> Iterator[tuple[str, Decisions]]:
    """Yield what was decided on which labels."""
    true = agreement(pair.arm, material.labels) - agreement(pair.baseline, material.labels)
    truth = float(np.sign(true.mean()))
    answers: dict[str, list[float]] = {}
    clean = []
    for number, study in enumerate(studies(material, pair, noise, count)):
        clean.append(by_seeds(study, material.labels))
        found = {"as if true": by_seeds(study, study.unchecked)}
        rng = np.random.default_rng([number, 3])
        for structure, transitions in declared(name, rng).items():
            of_study = corrected_difference(study.arm, study.baseline, study.unchecked, transitions)
            found[structure] = sign(of_study.arm_low, of_study.arm_high)
        estimate = difference(study.arm, study.baseline, check(material, study, 200, number))
        found["200 checked"] = sign(estimate.arm_low, estimate.arm_high)
        for how, answer in found.items():
            answers.setdefault(how, []).append(answer)
    yield "clean labels", Decisions.of(np.array(clean), np.array(clean), truth)
    for how, given in answers.items():
        yield how, Decisions.of(np.array(given), np.array(clean), truth)


def declared(name: str, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Return the transition matrices of a declared structure, by the words for it.

    For noise that depends on images every declaration is wrong.
    """
    if name.startswith("symmetric"):
        rate = float(name.split()[1]) / 100
        return {"declared symmetric": symmetric_transition(rate, CLASSES)}
    if name.startswith("class map"):
        labels = rng.integers(0, CLASSES, COUNTED)
        counts = np.zeros((CLASSES, CLASSES))
        np.add.at(counts, (labels, drawn(rng, labels, MAP)), 1)
        return {
            f"declared class-dependent, {COUNTED} labels": transition_draws(counts),
            "declared class-dependent, true matrix": MAP,
        }
    return {"wrongly declared symmetric 30 %": symmetric_transition(0.3, CLASSES)}


def by_seeds(study: Study, labels: np.ndarray) -> float:
    """Return the sign of the difference by the t interval over seeds; 0 if undecided."""
    of_arm = agreement(study.arm, labels).mean(axis=1)
    of_baseline = agreement(study.baseline, labels).mean(axis=1)
    return sign(*mean_interval(of_arm - of_baseline)[1:])


def sign(low: float, high: float) -> float:
    """Return the sign of an interval without 0; 0 for any other one."""
    if low > 0:
        return 1
    if high < 0:
        return -1
    return 0


if __name__ == "__main__":
    main()
