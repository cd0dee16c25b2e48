"""Upper bound of the number of wrong labels, from images that were looked at in random order.

The images are in two strata: those that an audit calls wrong, and the rest. Each has a random order
that is fixed before the first look. A decision counts when its turn in that order comes; until then
it is known, and not used. Looks may alternate between the strata at will and stop at any time: with
a probability of at least 1 − α the bound is right at every moment.

A pair of numbers of wrong labels, one for each stratum, is refuted when what was seen is 1 / α
times as probable under a prior as under these numbers. For the true numbers that ratio is a
martingale, and it ever gets so large with a probability of at most α, whatever the prior
(Waudby-Smith and Ramdas, "Confidence sequences for sampling without replacement", NeurIPS 2020).
The bound is the greatest total that is not refuted. The prior is what the audit expects. A poor
audit makes the bound slow, never wrong.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import betaln, gammaln

ALPHA = 0.05
"""Probability that the bound is ever too low is at most so much."""
STRENGTH = 50
"""Looks that the audit's expectation is worth in one half of the prior, which trusts it."""
SPACING = 1.01
"""Numbers of wrong labels that differ by less than 1 % are refuted together."""


@dataclass
class Stratum:
    """Images of one stratum, and what was seen of them in their random order.

    Attributes:
        size: number of images.
        expected: share of wrong labels that the audit expects, 0 to 1.
        looks, wrong: number of images seen, and of wrong labels among them; with fractions where
            looks are planned.
    """

    size: int
    expected: float
    looks: float = 0
    wrong: float = 0

    @property
    def left(self) -> float:
        """Number of images that were not seen."""
        return self.size - self.looks

    def chance_of_wrong(self) -> float:
        """Return the prior's probability, after what was seen, that the next label is wrong."""
        then = self._under_prior(self.looks + 1, self.wrong + 1)
        return float(np.exp(then - self._under_prior(self.looks, self.wrong)))

    def evidence(self, low: np.ndarray, high: np.ndarray) -> np.ndarray:
        """Return the evidence against numbers of wrong labels: logarithm of the ratio.

        Args:
            low, high: (numbers,) ranges of numbers; the least evidence in each is returned.
        """
        most_probable = np.floor((self.size + 1) * self.wrong / max(self.looks, 1))
        candidates = [low, high, np.clip(most_probable, low, high)]
        probable = np.max([self._under_number(number) for number in candidates], axis=0)
        found: np.ndarray = self._under_prior(self.looks, self.wrong) - probable
        return found

    def ranges(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the first and the last number of ranges that cover 0 to `size`."""
        low = [0]
        while low[-1] < self.size:
            low.append(max(low[-1] + 1, int(low[-1] * SPACING)))
        first = np.minimum(low, self.size)
        return first, np.append(first[1:] - 1, self.size)

    def _under_number(self, number: np.ndarray) -> np.ndarray:
        """Return the log probability of what was seen if `number` labels are wrong."""
        seen_right = self.looks - self.wrong
        possible = (number > self.wrong - 1) & (self.size - number > seen_right - 1)
        wrong = np.where(possible, number, self.wrong)
        right = np.where(possible, self.size - number, seen_right)
        ways = gammaln(wrong + 1) - gammaln(wrong - self.wrong + 1)
        ways += gammaln(right + 1) - gammaln(right - seen_right + 1)
        every = gammaln(self.size + 1) - gammaln(self.left + 1)
        return np.where(possible, ways - every, -np.inf)

    def _under_prior(self, looks: float, wrong: float) -> float:
        """Return the log probability of this many looks and wrong labels under the prior.

        Half of the prior trusts the expected share; the other half only its order of magnitude.
        """
        share = float(np.clip(self.expected, 0.25 / max(self.size, 1), 0.99))
        wide = min(share, 0.5)
        trusting = _under_beta(STRENGTH * share, STRENGTH * (1 - share), looks, wrong)
        doubting = _under_beta(1, (1 - wide) / wide, looks, wrong)
        return float(np.logaddexp(trusting, doubting) - np.log(2))


def _under_beta(a: float, b: float, looks: float, wrong: float) -> float:
    """Return the log probability of a sequence of looks if the share is beta distributed."""
    return float(betaln(a + wrong, b + looks - wrong) - betaln(a, b))


def at_most(strata: Sequence[Stratum], alpha: float = ALPHA) -> int:
    """Return the greatest number of wrong labels in two strata that is not refuted."""
    evidence, totals, _ = _pairs(strata)
    seen = int(sum(stratum.wrong for stratum in strata))
    return int(totals[evidence < np.log(1 / alpha)].max(initial=seen))


def next_stratum(strata: Sequence[Stratum], target: int) -> int:
    """Return in which stratum, 0 or 1, a look does most to refute totals of `target` and more."""
    place, _, _ = _most_useful(strata, target)
    return place


def looks_until(strata: Sequence[Stratum], target: int) -> int:
    """Return about how many more looks refute totals of `target` and more.

    They are assumed to find as many wrong labels as the prior expects after what was seen.
    """
    planned = [replace(stratum) for stratum in strata]
    looks = 0.0
    while at_most(planned) >= target and any(stratum.left > 0 for stratum in planned):
        place, gain, missing = _most_useful(planned, target)
        stratum = planned[place]
        some = min(max(1.0, missing / gain / 4), stratum.left)
        stratum.wrong += some * stratum.chance_of_wrong()
        stratum.looks += some
        looks += some
    return int(np.ceil(looks))


def _most_useful(strata: Sequence[Stratum], target: int) -> tuple[int, float, float]:
    """Return where to look next, the evidence that is expected from it, and what is missing.

    Of all pairs of numbers with totals of at least `target`, the one with the least evidence is
    considered.
    """
    evidence, totals, numbers = _pairs(strata)
    hardest = np.argmin(np.where(totals >= target, evidence, np.inf))
    gains = []
    for stratum, each in zip(strata, numbers, strict=True):
        if stratum.left <= 0:
            gains.append(0.0)
            continue
        share = (each.ravel()[hardest] - stratum.wrong) / stratum.left
        gains.append(_divergence(stratum.chance_of_wrong(), share))
    place = int(gains[1] > gains[0])
    missing = np.log(1 / ALPHA) - evidence.ravel()[hardest]
    return place, max(gains[place], 1e-6), float(max(missing, 0))


def _pairs(strata: Sequence[Stratum]) -> tuple[np.ndarray, np.ndarray, list[np.ndarray]]:
    """Return for all pairs of ranges: evidence, greatest total, and the number of each stratum."""
    first, second = strata
    low_first, high_first = first.ranges()
    low_second, high_second = second.ranges()
    one = first.evidence(low_first, high_first)[:, None]
    two = second.evidence(low_second, high_second)[None, :]
    numbers = np.broadcast_arrays(high_first[:, None], high_second[None, :])
    return one + two, numbers[0] + numbers[1], list(numbers)


def _divergence(chance: float, share: float) -> float:
    """Return the evidence that a look is expected to give against a share of wrong labels."""
    share = min(max(share, 1e-9), 1 - 1e-9)
    right = (1 - chance) * np.log((1 - chance) / (1 - share))
    return float(chance * np.log(chance / share) + right)
