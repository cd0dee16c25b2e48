"""How often a difference is decided on unchecked labels, and whether rightly."""

from collections.abc import Iterator
from dataclasses import astuple, dataclass

import numpy as np

from analysis.stats.checked_labels import agreement, difference
from analysis.stats.paired import mean_interval
from analysis.stats.unchecked_labels import (
    corrected_difference,
    symmetric_transition,
    transition_draws,
)
from benchmarks.unchecked_test_sets import (
    CLASSES,
    MAP,
    Material,
    Noise,
    Pair,
    Study,
    check,
    drawn,
    studies,
)

COUNTED = 500
"""Number of labels with a known true class, from which a transition matrix is estimated."""
HEAD = """
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
