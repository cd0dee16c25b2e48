"""What a family's seeds can show at all."""

import numpy as np

from analysis.stats.attainable_p import ALPHA, CENTERS, FEWEST_SEEDS
from analysis.stats.paired import sign_flip_p


def test_the_fewest_seeds_are_the_first_that_suffice():
    enough, fewer = (float(sign_flip_p(np.ones(n))) for n in (FEWEST_SEEDS, FEWEST_SEEDS - 1))
    assert enough == 0.03125 <= ALPHA * CENTERS < fewer == 0.0625
