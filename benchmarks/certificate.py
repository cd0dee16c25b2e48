"""What the certificate of a review is worth, by simulation: `python benchmarks/certificate.py`.

Each setting is a number of images in two strata, wrong labels in each, and what an audit expects.
Printed are the share of reviews in which the bound was ever below the truth (at most 5 % is
promised), and how many looks it takes to say "at most 3 % of the labels are wrong" if every wrong
label that is found is corrected; next to it the looks without strata, which is random checking.
"""

import argparse
from dataclasses import dataclass

import numpy as np

from analysis.stats.certificate import GOAL, Bound

LOOKS = 400
"""Least number of looks for which the bound is compared with the truth."""


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

    @property
    def without_strata(self) -> "Setting":
        """The same labels in one stratum, and an audit that expects the true number."""
        wrong = sum(self.wrong)
        share = max(wrong, 1) / self.total
        return Setting(self.name, (0, self.total), (0, wrong), (0.0, share))


SETTINGS = [
    Setting("1 % wrong, 80 % of them marked", (71, 1366), (11, 3), (0.15, 0.002)),
    Setting("1 % wrong, 80 % of them marked", (72, 1365), (11, 3), (0.15, 0.002)),
    Setting("1 % wrong, 80 % of them marked", (50, 950), (8, 2), (0.15, 0.002)),
    Setting("1 % wrong, 93 % of them marked", (29, 1408), (13, 1), (0.45, 0.001)),
    Setting("1 % wrong, 80 % of them marked", (500, 9500), (80, 20), (0.15, 0.002)),
    Setting("1 % wrong, 90 % of them marked", (100, 9900), (90, 10), (0.8, 0.002)),
    Setting("1 % wrong, audit too sure", (72, 1365), (11, 3), (0.9, 0.01)),
    Setting("1 % wrong, audit of no use", (72, 1365), (1, 13), (0.15, 0.002)),
    Setting("1 % wrong, audit of no use", (72, 1365), (1, 13), (0.01, 0.01)),
    Setting("3.1 % wrong, at the goal", (72, 1365), (15, 30), (0.15, 0.002)),
    Setting("10 % wrong, audit good", (144, 1293), (136, 8), (0.95, 0.02)),
    Setting("10 % wrong, audit of no use", (144, 1293), (14, 130), (0.95, 0.02)),
    Setting("40 % wrong, audit good", (575, 862), (560, 15), (0.95, 0.03)),
    Setting("nothing wrong", (72, 1365), (0, 0), (0.15, 0.002)),
]


@dataclass(frozen=True)
class Outcome:
    """What happened in reviews (reviews,).

    Attributes:
        missed: whether the bound was ever below the truth.
        looks: how many looks it took to the goal.
    """

    missed: np.ndarray
    looks: np.ndarray


def simulate(setting: Setting, rng: np.random.Generator, reviews: int) -> Outcome:
    """Review until the goal is reached in each review, and for `LOOKS` looks at least."""
    every = np.arange(reviews)
    orders = []
    for images, wrong in zip(setting.images, setting.wrong, strict=True):
        labels = np.tile(np.arange(max(images, 1)) < wrong, (reviews, 1))
        orders.append(rng.permuted(labels, axis=1))
    bound = Bound(setting.images, setting.expected, reviews)
    missed = np.zeros(reviews, bool)
    looks = np.full(reviews, setting.total)
    for number in range(1, setting.total + 1):
        place = (rng.random(reviews) >= bound.share).astype(int)
        turn = bound.looks[every, place]
        first, second = (order[every, np.minimum(turn, order.shape[1] - 1)] for order in orders)
        bound.count(place, np.where(place == 0, first, second))
        at_most = bound.at_most()
        missed |= at_most < sum(setting.wrong)
        reached = at_most - bound.wrong.sum(axis=1) <= GOAL / 100 * setting.total
        looks = np.where(reached, np.minimum(looks, number), looks)
        if number >= LOOKS and (looks <= number).all():
            break
    return Outcome(missed, looks)


def described(outcome: Outcome) -> str:
    """Return the figures of an outcome."""
    low, middle, high = np.quantile(outcome.looks, [0.1, 0.5, 0.9])
    return (
        f"bound below the truth {100 * outcome.missed.mean():.1f} %; looks to {GOAL} %: median "
        f"{middle:.0f}, mean {outcome.looks.mean():.0f}, 80 % of them {low:.0f} to {high:.0f}"
    )


def main() -> None:
    """Print the figures of each setting, with strata and without."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--reviews", type=int, default=1000)
    reviews = parser.parse_args().reviews
    print(f"{reviews} reviews a setting, of {LOOKS} looks at least")
    for number, setting in enumerate(SETTINGS):
        print(
            f"{setting.name}: {setting.images} images, {setting.wrong} wrong, expected "
            f"{setting.expected}"
        )
        for name, each in (("with", setting), ("without", setting.without_strata)):
            outcome = simulate(each, np.random.default_rng(number), reviews)
            print(f"  {name} strata: {described(outcome)}", flush=True)


if __name__ == "__main__":
    main()
