"""What a family's seeds can show at all."""

import pytest

from analysis.stats.attainable_p import ALPHA, seeds_to_reach, smallest_p


@pytest.mark.parametrize(
    ("comparisons", "seeds", "p"), [(1, 5, 0.0625), (6, 8, 12 / 256), (1, 1, 1.0), (40, 3, 1.0)]
)
def test_the_smallest_p_is_comparisons_times_two_of_all_sign_patterns_and_at_most_one(
    comparisons, seeds, p
):
    assert smallest_p(comparisons, seeds) == p


@pytest.mark.parametrize(("comparisons", "seeds"), [(1, 6), (2, 7), (3, 7), (4, 8), (6, 8), (7, 9)])
def test_seeds_to_reach_worked_by_hand(comparisons, seeds):
    assert seeds_to_reach(comparisons) == seeds


@pytest.mark.parametrize("comparisons", [1, 5, 30, 1000])
def test_seeds_to_reach_is_the_first_that_suffices(comparisons):
    seeds = seeds_to_reach(comparisons)
    assert smallest_p(comparisons, seeds) <= ALPHA < smallest_p(comparisons, seeds - 1)
