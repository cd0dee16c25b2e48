"""What a design that adds seeds can find, by simulation: shown before anything is trained."""

from dataclasses import dataclass

import numpy as np

from analysis.stats.sequential import Question, judge

STUDIES = 10
EFFECTS = (2.0, 1.0, 0.5)
MOST_ARMS = 12
"""Number of arms that are simulated; a family of more is simulated with as many."""
MOST_SEEDS = 64
"""Number of seeds that are simulated, if the design allows more."""


@dataclass(frozen=True)
class Prospect:
    """Outcome of simulated studies in which all arms differ from the baseline by one effect.

    Attributes:
        effect: true difference, in standard deviations of the paired differences; 0: none.
        decided: share of the arms that are found better, or equivalent without an effect.
        seeds: mean number of seeds of an arm.
        baseline_seeds: mean number of seeds of the baseline.
    """

    effect: float
    decided: float
    seeds: float
    baseline_seeds: float


def prospects(arms: int, at_least: int, at_most: int) -> list[Prospect]:
    """Simulate studies for some effects; without an effect the margin is one standard deviation.

    Runs are Gaussian with equal spread, so that the differences of arms with one baseline are
    correlated by one half. The seed is fixed.
    """
    arms = min(arms, MOST_ARMS)
    at_most = max(at_least, min(at_most, MOST_SEEDS))
    found = []
    for effect in (*EFFECTS, 0.0):
        rng = np.random.default_rng(0)
        right = []
        seeds = []
        longest = []
        for _ in range(STUDIES):
            runs = rng.normal(size=(arms + 1, at_most)) / np.sqrt(2)
            questions = [Question(run - runs[0] + effect, np.zeros(at_most)) for run in runs[1:]]
            answers = judge(questions, 1.0, at_least)
            goal = "better" if effect else "equivalent"
            right.append(np.mean([answer.verdict == goal for answer in answers]))
            seeds.append(np.mean([answer.seeds for answer in answers]))
            longest.append(max(answer.seeds for answer in answers))
        found.append(
            Prospect(effect, float(np.mean(right)), float(np.mean(seeds)), float(np.mean(longest)))
        )
    return found
