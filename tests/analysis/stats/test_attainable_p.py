"""What a family's seeds can show at all."""

import pytest

from analysis.stats.attainable_p import ALPHA, CENTERS, FEWEST_SEEDS, smallest_p


@pytest.mark.parametrize(("seeds", "p"), [(1, 1.0), (5, 0.0625), (6, 0.03125)])
def test_the_smallest_p_is_two_of_all_sign_patterns(seeds, p):
    assert smallest_p(seeds) == p


def test_the_fewest_seeds_are_the_first_that_suffice():
    assert smallest_p(FEWEST_SEEDS) <= ALPHA * CENTERS < smallest_p(FEWEST_SEEDS - 1)
