"""What the certificate of a review is worth, by simulation: `python benchmarks/certificate.py`.

Each setting is a number of images in two strata, wrong labels in each, and what an audit expects.
Printed are the share of reviews in which the truth was ever refuted (at most 5 % is promised), and
how many looks it takes to say "at most 3 % of the labels are wrong", corrections counted, if looks
go where they lower the bound most; next to it the same without strata.
"""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from analysis.stats.certificate import ALPHA, Stratum, at_most, next_stratum

LOOKS = 400
TARGET = 0.03


@dataclass(frozen=True)
class Setting:
    """Images of both strata, wrong labels among them, and the shares that the audit expects."""

    name: str
    images: tuple[int, int]
    wrong: tuple[int, int]
    expected: tuple[float, float]

    @property
    def total(self) -> int:
        """Number of images."""
        return sum(self.images)


SETTINGS = [
    Setting("1 % wrong, 80 % of them marked", (72, 1365), (11, 3), (0.15, 0.002)),
    Setting("1 % wrong, 80 % of them marked", (50, 950), (8, 2), (0.15, 0.002)),
    Setting("1 % wrong, 93 % of them marked", (29, 1408), (13, 1), (0.45, 0.001)),
    Setting("1 % wrong, 80 % of them marked", (500, 9500), (80, 20), (0.15, 0.002)),
    Setting("the same, audit too sure", (72, 1365), (11, 3), (0.9, 0.01)),
    Setting("1 % wrong, audit of no use", (72, 1365), (1, 13), (0.15, 0.002)),
    Setting("1 % wrong, audit of no use", (72, 1365), (1, 13), (0.01, 0.01)),
    Setting("10 % wrong, audit good", (144, 1293), (136, 8), (0.95, 0.02)),
    Setting("40 % wrong, audit good", (575, 862), (560, 15), (0.95, 0.03)),
    Setting("nothing wrong", (72, 1365), (0, 0), (0.15, 0.002)),
]
Chooser = Callable[[np.random.Generator, list[Stratum]], int]


def orders(setting: Setting, rng: np.random.Generator) -> list[np.ndarray]:
    """Return whether each label is wrong, in the random order of each stratum."""
    found = []
    for images, wrong in zip(setting.images, setting.wrong, strict=True):
        found.append(rng.permutation(np.arange(images) < wrong))
    return found


def strata(setting: Setting) -> list[Stratum]:
    """Return the strata before the first look."""
    pairs = zip(setting.images, setting.expected, strict=True)
    return [Stratum(images, expected) for images, expected in pairs]


def looks(setting: Setting, rng: np.random.Generator, choose: Chooser) -> Iterator[list[Stratum]]:
    """Yield the state after every look."""
    turns = orders(setting, rng)
    state = strata(setting)
    for _ in range(min(LOOKS, setting.total)):
        place = choose(rng, state)
        if not state[place].left:
            place = 1 - place
        stratum = state[place]
        stratum.wrong += bool(turns[place][int(stratum.looks)])
        stratum.looks += 1
        yield state


def ever_refuted(setting: Setting, rng: np.random.Generator, choose: Chooser) -> bool:
    """Return whether the truth is refuted at any moment of a review."""
    truth = [np.array([wrong]) for wrong in setting.wrong]
    for state in looks(setting, rng, choose):
        evidence = [stratum.evidence(k, k) for stratum, k in zip(state, truth, strict=True)]
        if sum(evidence)[0] >= np.log(1 / ALPHA):
            return True
    return False


CHOOSERS: dict[str, Chooser] = {
    "alternating": lambda rng, state: int(state[0].looks > state[1].looks),
    "at random": lambda rng, state: int(
        rng.random() * (state[0].left + state[1].left) >= state[0].left
    ),
    "marked until one is right": lambda rng, state: int(state[0].looks > state[0].wrong),
}


def looks_to_target(setting: Setting, rng: np.random.Generator) -> int:
    """Return how many looks certify that at most 3 % are wrong after correction."""
    turns = orders(setting, rng)
    state = strata(setting)
    for number in range(setting.total):
        found = int(sum(stratum.wrong for stratum in state))
        goal = int(TARGET * setting.total) + found + 1
        if at_most(state) < goal:
            return number
        place = next_stratum(state, goal)
        state[place].wrong += bool(turns[place][int(state[place].looks)])
        state[place].looks += 1
    return setting.total


def coverage(setting: Setting, rng: np.random.Generator, reviews: int) -> str:
    """Return in how many reviews the truth was ever refuted, for each way of choosing."""
    found = []
    for name, choose in CHOOSERS.items():
        share = np.mean([ever_refuted(setting, rng, choose) for _ in range(reviews)])
        found.append(f"{name} {100 * share:.1f} %")
    return f"truth refuted, n = {reviews}: {', '.join(found)}"


def effort(setting: Setting, rng: np.random.Generator, reviews: int) -> str:
    """Return how many looks certify 3 %, with strata and without."""
    one = Setting("", (0, setting.total), (0, sum(setting.wrong)), (0.0, TARGET / 3))
    taken = [looks_to_target(setting, rng) for _ in range(reviews)]
    without = [looks_to_target(one, rng) for _ in range(reviews)]
    return (
        f"looks to 3 %, n = {reviews}: median {np.median(taken):.0f}, mean {np.mean(taken):.0f}; "
        f"without strata {np.median(without):.0f}, {np.mean(without):.0f}"
    )


def main() -> None:
    """Print both for each setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reviews", type=int, default=1000, help="Reviews for the coverage.")
    parser.add_argument("--timed", type=int, default=100, help="Reviews whose looks are counted.")
    given = parser.parse_args()
    for number, setting in enumerate(SETTINGS):
        print(
            f"{setting.name}: {setting.images} images, {setting.wrong} wrong, expected "
            f"{setting.expected}"
        )
        if given.reviews:
            print(" ", coverage(setting, np.random.default_rng(number), given.reviews), flush=True)
        if given.timed:
            print(" ", effort(setting, np.random.default_rng(number), given.timed), flush=True)


if __name__ == "__main__":
    main()
