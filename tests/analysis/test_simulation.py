"""What the statistics are worth, by simulation: the figures that docs/statistics.md states."""

import pytest

from benchmarks import simulation

pytestmark = pytest.mark.nightly


@pytest.mark.parametrize("seeds", [6, 8, 12])
def test_error_and_coverage_of_a_fixed_list(seeds):
    error, together, alone, bootstrap = simulation.errors(
        simulation.DIFFERENCES["Gaussian"], seeds, 1000
    )
    assert error <= 5
    assert together >= 94
    assert alone == pytest.approx(95, abs=1.5)
    assert bootstrap < alone


def test_joint_sign_flips_find_more_than_holms_correction():
    together, holms = simulation.power(1.5, 8, 500)
    assert together > holms + 5
