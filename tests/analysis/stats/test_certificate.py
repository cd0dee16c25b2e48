"""The bound of the number of wrong labels: against exact arithmetic, and in simulated reviews."""

from fractions import Fraction
from math import comb

import numpy as np
import pytest

from analysis.stats.certificate import STRENGTH, Stratum, at_most, looks_until, next_stratum


def rising(x: Fraction, n: int) -> Fraction:
    product = Fraction(1)
    for step in range(n):
        product *= x + step
    return product


def under_beta(a: Fraction, b: Fraction, looks: int, wrong: int) -> Fraction:
    """Probability of one sequence of looks if the share has this beta distribution."""
    return rising(a, wrong) * rising(b, looks - wrong) / rising(a + b, looks)


def under_number(size: int, number: int, looks: int, wrong: int) -> Fraction:
    """Probability of one sequence of looks without replacement if `number` labels are wrong."""
    if wrong > number or looks - wrong > size - number:
        return Fraction(0)
    ways = comb(number, wrong) * comb(size - number, looks - wrong)
    sequences = comb(looks, wrong)
    return Fraction(ways, comb(size, looks) * sequences)


def by_hand(strata: list[Stratum]) -> int:
    """The bound, from all pairs of numbers, in exact arithmetic."""
    priors = []
    for stratum in strata:
        share = Fraction(stratum.expected)
        trusting = under_beta(
            STRENGTH * share, STRENGTH * (1 - share), stratum.looks, stratum.wrong
        )
        wide = under_beta(Fraction(1), (1 - share) / share, stratum.looks, stratum.wrong)
        priors.append((trusting + wide) / 2)
    first, second = strata
    held = [
        one + two
        for one in range(first.size + 1)
        for two in range(second.size + 1)
        if priors[0] * priors[1]
        < 20
        * under_number(first.size, one, first.looks, first.wrong)
        * under_number(second.size, two, second.looks, second.wrong)
    ]
    return max(held)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((10, 0.5, 0, 0), (60, 0.125, 0, 0)),
        ((10, 0.5, 4, 3), (60, 0.125, 20, 0)),
        ((10, 0.5, 10, 6), (60, 0.125, 35, 2)),
        ((10, 0.25, 10, 0), (60, 0.0625, 60, 5)),
    ],
)
def test_the_bound_is_that_of_exact_arithmetic(first, second):
    strata = [Stratum(*first), Stratum(*second)]
    assert at_most(strata) == by_hand(strata)


def test_numbers_that_share_a_range_are_bounded_from_above():
    strata = [Stratum(3, 0.5, 3, 1), Stratum(700, 0.25, 40, 12)]
    exact = by_hand(strata)
    assert exact <= at_most(strata) <= 1.01 * exact + 1


def test_all_images_seen_leave_no_doubt_and_none_seen_leave_every_doubt():
    assert at_most([Stratum(20, 0.9, 20, 7), Stratum(80, 0.1, 80, 3)]) == 10
    assert at_most([Stratum(20, 0.9), Stratum(80, 0.1)]) == 100
    assert at_most([Stratum(0, 0.0), Stratum(50, 0.1, 50, 4)]) == 4


@pytest.mark.parametrize("expected", [(0.5, 0.01), (0.9, 0.3), (0.02, 0.02)])
def test_simulated_reviews_are_rarely_below_the_truth_at_any_moment(expected):
    rng = np.random.default_rng(7)
    sizes, numbers, reviews, missed = (20, 180), (9, 6), 80, 0
    for _ in range(reviews):
        strata = [Stratum(size, share) for size, share in zip(sizes, expected, strict=True)]
        orders = [
            rng.permutation(np.arange(size) < number)
            for size, number in zip(sizes, numbers, strict=True)
        ]
        for _ in range(60):
            place = int(rng.random() < 0.7)
            stratum = strata[place]
            if not stratum.left:
                place, stratum = 1 - place, strata[1 - place]
            stratum.wrong += orders[place][int(stratum.looks)]
            stratum.looks += 1
            if at_most(strata) < sum(numbers):
                missed += 1
                break
    assert missed <= 9, "5 % of 80 reviews, and 2.5 standard errors"


def test_a_look_goes_where_it_refutes_most():
    strata = [Stratum(50, 0.2), Stratum(950, 0.002)]
    seen = []
    while at_most(strata) >= 40 and len(seen) < 400:
        place = next_stratum(strata, 40)
        seen.append(place)
        strata[place].wrong += strata[place].expected
        strata[place].looks += 1
    assert len(seen) < 250
    assert 0 < seen.count(0) < 50, "some looks at the suspicious, not all"
    assert next_stratum([Stratum(5, 0.5, 5, 2), Stratum(10, 0.1)], 4) == 1
    assert next_stratum([Stratum(5, 0.5), Stratum(10, 0.1, 10, 1)], 4) == 0


def test_planned_looks_are_about_those_that_it_takes():
    planned = looks_until([Stratum(50, 0.2), Stratum(950, 0.002)], 40)
    strata = [Stratum(50, 0.2), Stratum(950, 0.002)]
    taken = 0
    while at_most(strata) >= 40:
        stratum = strata[next_stratum(strata, 40)]
        stratum.wrong += stratum.expected
        stratum.looks += 1
        taken += 1
    assert 0.7 * taken <= planned <= 1.4 * taken
