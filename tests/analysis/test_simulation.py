"""What the statistics are worth, by simulation: the figures that docs/statistics.md states."""

import pytest

from benchmarks import simulation

pytestmark = pytest.mark.nightly


@pytest.mark.parametrize("n", [5, 8, 20])
def test_the_t_interval_covers_the_true_difference_in_95_percent(n):
    t, bootstrap = simulation.coverage(n, collapsing=False, studies=2000)
    print(f"\n{n} seeds: t interval {100 * t:.1f} %, bootstrap {100 * bootstrap:.1f} %")
    assert 0.93 <= t <= 0.97
    assert bootstrap < t


def test_a_false_positive_in_at_most_5_percent_of_null_studies():
    error = simulation.family_error(8, collapsing=False, studies=2000)
    print(
        f"\n8 seeds, {simulation.ARMS} arms: {100 * error:.1f} % of null studies have a false alarm"
    )
    assert error <= 0.05


def test_power_rises_with_the_seeds():
    found = {
        n: simulation.detected(n, 1.0, collapsing=False, studies=500 if n > 16 else 2000)
        for n in (5, 8, 12, 16)
    }
    print(
        "",
        *(
            f"{n} seeds: power {100 * right:.1f} %, wrongly {100 * wrong:.1f} %"
            for n, (right, wrong) in found.items()
        ),
        sep="\n",
    )
    powers = [right for right, _ in found.values()]
    assert powers == sorted(set(powers))
    assert powers[0] == 0, "five seeds cannot reach significance among six comparisons"
    assert all(wrong <= 0.05 for _, wrong in found.values())
