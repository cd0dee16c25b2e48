"""How often intervals with checked labels hold the true value, and how wide they are."""

import numpy as np

from analysis.stats.checked_labels import accuracy, agreement, difference
from analysis.stats.paired import mean_interval
from benchmarks.unchecked_test_sets import Material, Noise, Pair, check, studies

HEAD = """
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
