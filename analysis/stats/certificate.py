"""Upper bound of the number of wrong labels, valid whenever a review stops.

The images are in two strata: those that an audit calls wrong, and the rest. Each has a random order
that is fixed before the first look. The certificate counts looks one after the other: a rule says
with which probability the next one is in the first stratum, a random number draws the stratum, and
the image is the next of its order. The rule sees nothing but the looks that are counted already. So
the sequence of looks is fixed by random numbers and labels alone: a reviewer may look at
any other image, in any order and for any reason. Such a decision counts when its turn comes.

Each total T is tested by a bet that fewer than T labels are wrong. Let x be 1 if the label of the
next look is wrong, q the probability of x that the audit and the looks before expect in its
stratum, and p that under the pair of shares which is hardest to tell from q among all pairs that
leave T wrong labels. The bet multiplies its capital by the ratio of the probabilities of x under q
and p. Since p minimises the divergence from q, and the pairs of at least T form a convex set,
the expected ratio is at most 1 if at least T labels are wrong (Grünwald, de Heide and Koolen,
"Safe testing", JRSS B 2024; weighted sampling without replacement: Shekhar et al., "Risk-limiting
financial audits via weighted sampling without replacement", UAI 2023). So the capital is a
supermartingale, and it ever reaches 1 / α with a probability of at most α (Waudby-Smith and Ramdas,
"Confidence sequences for sampling without replacement", NeurIPS 2020). The bound is the greatest
total that was never refuted. A poor audit makes it slow, never wrong.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import betaln, logsumexp

ALPHA = 0.05
"""Probability that the bound is ever too low is at most so much."""
STRENGTH = 50
"""Looks that the audit's expectation is worth where the prior trusts it."""
SPACING = 1.01
"""Totals that differ by less than 1 % are refuted together."""
STEPS = (50, 40, 30, 25, 20, 15, 12, 10, 8, 6, 5, 4, 3, 2.5, 2, 1.5, 1, 0.8, 0.5, 0.2, 0.1)
"""Percentages of wrong labels that are aimed at, after correction."""
GOAL = 3
"""Percentage that is aimed at before it is reached; afterwards the next step is."""
AMBITION = 4
"""While the bound is far above the goal, a fraction 1 / AMBITION of it is aimed at."""
HALVINGS = 32
"""A root is known to 2^−32 of the interval in which it is searched."""
TINY = 1e-12


def next_step(percent: float) -> float | None:
    """Return the next lower percentage that is aimed at; None: there is none."""
    return next((step for step in STEPS if step < percent), None)


@dataclass(frozen=True)
class Prior:
    """What is expected of the shares of wrong labels in both strata, before a look.

    Half of it trusts the audit's shares, a quarter their order of magnitude, and a quarter takes
    the audit for useless: one share, of the expected order of magnitude, in both strata.

    Attributes:
        first, second: parameters a and b (hypotheses, 2) of beta distributions of both shares.
        pooled: those of the share that both strata have if the audit is useless.
    """

    first: np.ndarray
    second: np.ndarray
    pooled: tuple[float, float]

    @classmethod
    def of(cls, sizes: np.ndarray, expected: np.ndarray) -> Self:
        """Return the prior for strata (2,) of these sizes and expected shares."""
        shares = np.clip(expected, 0.25 / np.maximum(sizes, 1), 0.99)
        overall = float((sizes * shares).sum() / max(sizes.sum(), 1))
        first = np.array([STRENGTH * shares, _wide(shares)[0]])
        second = np.array([STRENGTH * (1 - shares), _wide(shares)[1]])
        one, other = _wide(np.array([overall]))
        return cls(first, second, (float(one[0]), float(other[0])))

    def chances(self, looks: np.ndarray, wrong: np.ndarray) -> np.ndarray:
        """Return the probabilities (reviews, 2) that the next label of each stratum is wrong.

        Args:
            looks, wrong: (reviews, 2) looks at each stratum, and wrong labels found.
        """
        right = looks - wrong
        one = self.first[:, None] + wrong
        other = self.second[:, None] + right
        before = betaln(self.first, self.second)[:, None]
        probable = (betaln(one, other) - before).sum(axis=2)
        a, b = self.pooled
        together = a + wrong.sum(axis=1), b + right.sum(axis=1)
        pooled = betaln(*together) - betaln(a, b)
        evidence = np.log([[0.5], [0.25], [0.25]]) + np.vstack([probable, pooled])
        weights = np.exp(evidence - logsumexp(evidence, axis=0))
        common = together[0] / (together[0] + together[1])
        shares = np.concatenate([one / (one + other), np.stack([common, common], axis=1)[None]])
        found: np.ndarray = (weights[:, :, None] * shares).sum(axis=0)
        return found


def _wide(shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a and b of beta distributions that know only the order of magnitude of shares."""
    limited = np.minimum(shares, 0.5)
    return np.ones_like(shares), (1 - limited) / limited


class Bound:
    """Bounds the number of wrong labels, look by look, in one review or several at once.

    Args:
        sizes: numbers of images in both strata.
        expected: shares of wrong labels that the audit expects in them, 0 to 1.
        reviews: number of reviews with these strata.

    Attributes:
        looks, wrong: (reviews, 2) counted looks at each stratum, and wrong labels found.
        share: (reviews,) probability that the next look is in the first stratum.
        totals: (totals,) numbers of wrong labels that are tested; each stands for those up to the
            next one.
        evidence: (reviews, totals) logarithms of the capital of the bets that fewer are wrong.
    """

    def __init__(
        self, sizes: tuple[int, int], expected: tuple[float, float], reviews: int = 1
    ) -> None:
        self._sizes = np.array(sizes)
        self._prior = Prior.of(self._sizes, np.array(expected))
        self._images = int(self._sizes.sum())
        self.looks = np.zeros((reviews, 2), int)
        self.wrong = np.zeros((reviews, 2), int)
        self.totals = _totals(self._images)
        self.evidence = np.zeros((reviews, len(self.totals)))
        self._refuted = np.zeros((reviews, len(self.totals)), bool)
        self._plan()

    @property
    def left(self) -> np.ndarray:
        """Numbers (reviews, 2) of images that are not counted."""
        left: np.ndarray = self._sizes - self.looks
        return left

    def at_most(self) -> np.ndarray:
        """Return the greatest numbers (reviews,) of wrong labels that are not refuted."""
        held = ~self._refuted
        last = held.shape[1] - 1 - held[:, ::-1].argmax(axis=1)
        next_total = np.append(self.totals, self._images + 1)[last + 1]
        right = (self.looks - self.wrong).sum(axis=1)
        bound: np.ndarray = np.clip(next_total - 1, self.wrong.sum(axis=1), self._images - right)
        return bound

    def count(self, place: np.ndarray, wrong: np.ndarray) -> None:
        """Count a look in each review.

        Args:
            place: (reviews,) its stratum, 0 or 1, drawn with the probability `share`.
            wrong: (reviews,) whether the label is wrong.
        """
        probability = np.stack([self.share, 1 - self.share], axis=1)
        drawn = ((self.left == 0) | (probability > 0)).all(axis=1)
        remaining = self.totals - self.wrong.sum(axis=1, keepdims=True)
        expected = (self._chances * self.left).sum(axis=1)
        possible = remaining <= self.left.sum(axis=1)[:, None]
        bet = (remaining > expected[:, None]) & possible & drawn[:, None] & ~self._refuted
        review = bet.nonzero()[0]
        pairs = _hardest_pairs(
            self._chances[review], self.left[review], self.share[review], remaining[bet]
        )
        under_total = np.take_along_axis(pairs, place[review][:, None], axis=1)[:, 0]
        under_prior = self._chances[review, place[review]]
        self.evidence[bet] += np.where(
            wrong[review],
            np.log(under_prior / under_total),
            np.log((1 - under_prior) / (1 - under_total)),
        )
        self._refuted |= self.evidence >= np.log(1 / ALPHA)
        every = np.arange(len(place))
        self.looks[every, place] += 1
        self.wrong[every, place] += wrong
        self._plan()

    def _plan(self) -> None:
        """Say what the next look is expected to show, and how its stratum is drawn."""
        self._chances = np.clip(self._prior.chances(self.looks, self.wrong), TINY, 1 - TINY)
        self.share, _ = _next_share(self._chances, self.left, self._aim())

    def _aim(self) -> np.ndarray:
        """Return the numbers (reviews,) of wrong labels left that looks are to refute."""
        bound = self.at_most() - self.wrong.sum(axis=1)
        percent = 100 * bound / max(self._images, 1)
        steps = np.array([min(next_step(each) or 0, GOAL) for each in percent])
        wanted = np.maximum(percent / AMBITION, steps) / 100 * self._images
        # What is expected to be left cannot be refuted: then a lower bound is aimed at as well as
        # the correction of wrong labels.
        expected = (self._chances * self.left).sum(axis=1)
        between = np.sqrt(expected * np.maximum(bound, expected))
        aim = np.where(expected < wanted, wanted, between)
        refuted: np.ndarray = np.floor(aim) + 1
        return refuted

    def looks_until(self, left: int) -> np.ndarray:
        """Return about how many more looks (reviews,) show that at most `left` are wrong.

        Wrong labels that are found are corrected. The evidence that is missing is divided by what
        the next look is expected to add.
        """
        allowed = np.full(len(self.looks), left + 1.0)
        _, gain = _next_share(self._chances, self.left, allowed)
        against = self.totals >= (allowed + self.wrong.sum(axis=1))[:, None]
        missing = np.where(against & ~self._refuted, np.log(1 / ALPHA) - self.evidence, 0)
        looks = np.ceil(missing.max(axis=1) / np.maximum(gain, TINY))
        planned: np.ndarray = np.minimum(looks, self.left.sum(axis=1)).astype(int)
        return planned


def _totals(images: int) -> np.ndarray:
    """Return the totals that are tested: 1 to `images`, at distances of about 1 %."""
    totals = [0]
    while totals[-1] < images:
        totals.append(max(totals[-1] + 1, int(totals[-1] * SPACING)))
    return np.minimum(totals, images)


def _hardest_pairs(
    chances: np.ndarray, left: np.ndarray, share: np.ndarray, remaining: np.ndarray
) -> np.ndarray:
    """Return the pairs of shares (bets, 2) that are hardest to tell from the expected ones.

    Args:
        chances: (bets, 2) expected shares of wrong labels in the strata.
        left: (bets, 2) images in them.
        share: (bets,) probability that the first stratum is drawn; above 0 and below 1 where both
            have images.
        remaining: (bets,) wrong labels among these images: more than expected, and no more than
            images.
    """
    q1, q2 = chances.T
    n1, n2 = left.T

    def second(first: np.ndarray) -> np.ndarray:
        """Return the share in the second stratum that leaves the total."""
        found: np.ndarray = (remaining - n1 * first) / np.maximum(n2, 1)
        return found

    def slope(first: np.ndarray) -> np.ndarray:
        """Return the divergence's derivative along the total, times a positive number."""
        other = second(first)
        one = share * n2 * (first - q1) * other * (1 - other)
        two = (1 - share) * n1 * (other - q2) * first * (1 - first)
        found: np.ndarray = one - two
        return found

    low, high = _first_shares(chances, left, remaining)
    first = np.where(n2 == 0, remaining / np.maximum(n1, 1), _root(slope, low, high))
    pairs: np.ndarray = np.clip(np.stack([first, second(first)], axis=1), TINY, 1 - TINY)
    return pairs


def _first_shares(
    chances: np.ndarray, left: np.ndarray, remaining: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the range of the first stratum's share, with both shares no less than expected."""
    q1, q2 = chances.T
    n1, n2 = left.T
    some = np.maximum(n1, 1)
    low = np.maximum(q1, (remaining - n2) / some)
    high = np.minimum(1, (remaining - n2 * q2) / some)
    return low, np.maximum(low, high)


def _next_share(
    chances: np.ndarray, left: np.ndarray, remaining: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return how often to look at the first stratum, and what a look is worth.

    A look is worth the evidence that it is expected to give against `remaining` wrong labels under
    the pair of shares that is hardest to refute. A wrong label that it finds is corrected, so that
    one of `remaining` is gone: that spares about the same fraction of all evidence that is needed.

    Args:
        chances: (reviews, 2) expected shares of wrong labels.
        left: (reviews, 2) images of the strata.
        remaining: (reviews,) number of wrong labels to be refuted.

    Returns:
        The probability (reviews,) of the first stratum, and the worth (reviews,) as evidence.
    """
    q1, q2 = chances.T
    n1, n2 = left.T
    price = np.log(1 / ALPHA) / remaining

    def second(first: np.ndarray) -> np.ndarray:
        """Return the share in the second stratum that leaves the total."""
        found: np.ndarray = np.clip((remaining - n1 * first) / np.maximum(n2, 1), TINY, 1 - TINY)
        return found

    def worth(first: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return what a look at each stratum is worth."""
        one = _divergence(q1, first) + q1 * price
        return one, _divergence(q2, second(first)) + q2 * price

    def difference(first: np.ndarray) -> np.ndarray:
        """Return by how much a look at the first stratum is worth more."""
        one, other = worth(first)
        found: np.ndarray = one - other
        return found

    low, high = _first_shares(chances, left, remaining)
    hardest = _root(difference, low, high)
    other = second(hardest)
    weight1 = n1 * hardest * (1 - hardest) / np.maximum(hardest - q1, TINY)
    weight2 = n2 * other * (1 - other) / np.maximum(other - q2, TINY)
    share = weight1 / np.maximum(weight1 + weight2, TINY)
    share = np.where(difference(low) >= 0, 1.0, share)
    share = np.where(difference(high) <= 0, 0.0, share)
    share = np.where(n1 * q1 + n2 * q2 >= remaining, np.where(q1 >= q2, 1.0, 0.0), share)
    share = np.where(n1 == 0, 0.0, np.where(n2 == 0, 1.0, share))
    gains = worth(hardest)
    return share, np.where(share > 0, gains[0], gains[1])


def _root(
    rises: Callable[[np.ndarray], np.ndarray], low: np.ndarray, high: np.ndarray
) -> np.ndarray:
    """Return where a function that rises from `low` to `high` is 0."""
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        below = rises(middle) < 0
        low = np.where(below, middle, low)
        high = np.where(below, high, middle)
    return low


def _divergence(chance: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return the evidence that a look is expected to give against a share of wrong labels."""
    wrong = chance * np.log(chance / np.clip(share, TINY, 1))
    right = (1 - chance) * np.log((1 - chance) / np.clip(1 - share, TINY, 1))
    found: np.ndarray = wrong + right
    return found
