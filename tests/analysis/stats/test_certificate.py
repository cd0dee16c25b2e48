"""The bound of the number of wrong labels: all courses of small reviews, and simulated reviews."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest

from analysis.stats.certificate import ALPHA, STRENGTH, Bound, Prior, _next_share
from benchmarks.certificate import Setting, simulate

LOOKS = 6


def rising(x: Fraction, n: int) -> Fraction:
    factors = Fraction(1)
    for step in range(n):
        factors *= x + step
    return factors


def under_beta(a: Fraction, b: Fraction, looks: int, wrong: int) -> Fraction:
    """Probability of one sequence of looks if the share has this beta distribution."""
    return rising(a, wrong) * rising(b, looks - wrong) / rising(a + b, looks)


def under_prior(sizes, expected, looks, wrong) -> Fraction:
    """Probability of one sequence of looks at both strata."""
    shares = [Fraction(share) for share in expected]
    overall = sum(size * share for size, share in zip(sizes, shares, strict=True)) / sum(sizes)
    trusting, doubting = Fraction(1, 2), Fraction(1, 4)
    for share, seen, found in zip(shares, looks, wrong, strict=True):
        trusting *= under_beta(STRENGTH * share, STRENGTH * (1 - share), seen, found)
        doubting *= under_beta(Fraction(1), (1 - share) / share, seen, found)
    pooled = under_beta(Fraction(1), (1 - overall) / overall, sum(looks), sum(wrong)) / 4
    return trusting + doubting + pooled


@pytest.mark.parametrize(
    ("looks", "wrong"), [((0, 0), (0, 0)), ((4, 30), (3, 0)), ((10, 9), (0, 4))]
)
def test_what_is_expected_next_is_that_of_exact_arithmetic(looks, wrong):
    sizes, expected = (16, 240), (0.5, 0.03125)
    prior = Prior.of(np.array(sizes), np.array(expected))
    found = prior.chances(np.array([looks]), np.array([wrong]))[0]
    before = under_prior(sizes, expected, looks, wrong)
    for place in range(2):
        more, worse = list(looks), list(wrong)
        more[place] += 1
        worse[place] += 1
        exact = under_prior(sizes, expected, more, worse) / before
        assert found[place] == pytest.approx(float(exact), rel=1e-9)


class Courses:
    """All courses that a review of `LOOKS` looks can take, side by side.

    A course says of each look its stratum and whether the label is wrong.
    """

    def __init__(self, sizes, expected):
        self.sizes = sizes
        steps = np.array(list(product((0, 1), repeat=2 * LOOKS))).reshape(-1, LOOKS, 2)
        self.bound = Bound(sizes, expected, len(steps))
        self.steps, self.shares, self.evidence, self.at_most = steps, [], [], []
        for step in range(LOOKS):
            self.shares.append(self.bound.share)
            self.bound.count(steps[:, step, 0], steps[:, step, 1] == 1)
            self.evidence.append(self.bound.evidence.copy())
            self.at_most.append(self.bound.at_most())

    def probabilities(self, numbers: tuple[int, int]) -> np.ndarray:
        """Probability of each course, given the numbers of wrong labels in the strata."""
        found = np.ones(len(self.steps))
        seen = np.zeros((len(self.steps), 2))
        wrong = np.zeros((len(self.steps), 2))
        every = np.arange(len(self.steps))
        for step, share in enumerate(self.shares):
            place, is_wrong = self.steps[:, step].T
            found *= np.where(place == 0, share, 1 - share)
            left = np.array(self.sizes)[place] - seen[every, place]
            left_wrong = np.array(numbers)[place] - wrong[every, place]
            chance = left_wrong / left
            found *= np.where(is_wrong, chance, 1 - chance)
            seen[every, place] += 1
            wrong[every, place] += is_wrong
        return found


@pytest.fixture(scope="module", params=[(0.5, 0.1), (0.9, 0.02), (0.05, 0.4)])
def courses(request):
    return Courses((7, 9), request.param)


def test_no_bet_gains_on_average_if_as_many_labels_are_wrong_as_it_denies(courses):
    totals = courses.bound.totals
    greatest = 0.0
    for numbers in product(range(8), range(10)):
        probabilities = courses.probabilities(numbers)
        assert probabilities.sum() == pytest.approx(1)
        true = totals <= sum(numbers)
        for evidence in courses.evidence:
            capital = probabilities @ np.exp(evidence[:, true])
            assert (capital <= 1 + 1e-6).all()
        same = totals[true] == sum(numbers)
        greatest = max(greatest, float(capital[same].max(initial=0)))
    assert greatest == pytest.approx(1, abs=1e-6), "it is a fair bet, not a timid one"


def test_the_bound_is_rarely_below_any_truth_at_any_moment(courses):
    most = 0.0
    for numbers in product(range(8), range(10)):
        missed = np.any([at_most < sum(numbers) for at_most in courses.at_most], axis=0)
        most = max(most, float(courses.probabilities(numbers) @ missed))
    assert 0.001 < most <= ALPHA


@pytest.mark.parametrize("expected", [(0.5, 0.01), (0.9, 0.3), (0.02, 0.02)])
def test_simulated_reviews_are_rarely_below_the_truth_at_any_moment(expected):
    setting = Setting("", (20, 180), (9, 6), expected)
    missed = simulate(setting, np.random.default_rng(3), reviews=150).missed
    assert missed.mean() <= 0.095, "5 % of 150 reviews, and 2.5 standard errors"


def test_marked_errors_spare_looks_and_a_useless_audit_costs_few():
    rng = np.random.default_rng(3)
    good = simulate(Setting("", (50, 950), (8, 2), (0.15, 0.002)), rng, reviews=60)
    assert np.median(good.looks) <= 155
    useless = simulate(Setting("", (50, 950), (1, 9), (0.15, 0.002)), rng, reviews=60)
    assert np.median(useless.looks) <= 305, "random checking"


def test_all_images_seen_leave_no_doubt_and_none_seen_leave_every_doubt():
    bound = Bound((4, 7), (0.9, 0.1))
    assert bound.at_most() == [11]
    for place, wrong in [(0, 1), (1, 0), (0, 1), (0, 0), (0, 1)] + 5 * [(1, 0)] + [(1, 1)]:
        bound.count(np.array([place]), np.array([wrong == 1]))
    assert bound.at_most() == [4]
    assert bound.looks_until(3) == [0]
    only = Bound((0, 5), (0.0, 0.1))
    for _ in range(5):
        assert only.share == [0]
        only.count(np.array([1]), np.array([False]))
    assert only.at_most() == [0]


@pytest.mark.parametrize("remaining", [30, 44, 200])
def test_the_next_look_is_worth_most_where_the_worst_pair_is_considered(remaining):
    chances, left = np.array([[0.15, 0.002]]), np.array([[70, 1300]])
    share, worth = _next_share(chances, left, np.array([float(remaining)]))
    first = np.linspace(0.15, min(1, (remaining - 2.6) / 70), 2001)[1:-1]
    pairs = np.array([first, (remaining - 70 * first) / 1300])
    q = chances[0][:, None]
    evidence = q * np.log(q / pairs) + (1 - q) * np.log((1 - q) / (1 - pairs))
    values = evidence + q * np.log(1 / ALPHA) / remaining
    shares = np.linspace(0, 1, 501)
    worst = np.min(shares[:, None] * values[0] + (1 - shares[:, None]) * values[1], axis=1)
    assert worth == pytest.approx(worst.max(), rel=0.01)
    assert share == pytest.approx(shares[worst.argmax()], abs=0.02)


def test_surely_wrong_labels_are_found_and_corrected_first():
    share, _ = _next_share(np.array([[0.9, 0.01]]), np.array([[20, 980]]), np.array([31.0]))
    assert share == [1]


def test_planned_looks_are_about_those_that_it_takes():
    setting = Setting("", (50, 950), (8, 2), (0.16, 0.002))
    taken = simulate(setting, np.random.default_rng(3), reviews=40).looks.mean()
    planned = Bound(setting.images, setting.expected).looks_until(30)
    assert 0.6 * taken <= planned <= 1.7 * taken
