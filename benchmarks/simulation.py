"""What the report's statistics are worth: coverage, false positives and power, by simulation.

    python benchmarks/simulation.py

Prints the tables of docs/statistics.md. Every number comes from the functions that the report uses;
the seed is fixed.
"""

import numpy as np

from analysis.stats.attainable_p import ALPHA
from analysis.stats.multiple_testing import holm
from analysis.stats.paired import bootstrap, mean_interval, sign_flip_p

SEEDS, STUDIES, ARMS = (5, 8, 20), 2000, 6
COLLAPSE, LOSS = 0.1, 40.0
"""Chance that a run collapses, and the points that it then loses (runs have an sd of one point)."""


def runs(rng: np.random.Generator, shape: tuple[int, ...], collapsing: bool) -> np.ndarray:
    """Accuracies of runs around 0 with an sd of one point; some lose LOSS points if
    `collapsing`."""
    return rng.normal(size=shape) - LOSS * (collapsing & (rng.random(shape) < COLLAPSE))


def coverage(n: int, collapsing: bool, studies: int = STUDIES) -> tuple[float, float]:
    """Share of studies whose t and bootstrap 95 % interval of the paired difference holds the true
    one, 0."""
    rng = np.random.default_rng([n, collapsing])
    differences = runs(rng, (studies, n), collapsing) - runs(rng, (studies, n), collapsing)
    found = np.zeros(2)
    for row in differences:
        for k, (low, high) in enumerate((mean_interval(row)[1:], bootstrap(row))):
            found[k] += low <= 0 <= high
    return tuple(found / studies)


def detected(n: int, shift: float, collapsing: bool, studies: int = STUDIES) -> tuple[float, float]:
    """Simulate families of ARMS arms of which the first differs, by `shift` sds of the difference.

    Returns the share of studies in which the first arm is significant, and in which another one is.
    """
    rng = np.random.default_rng([n, collapsing, round(10 * shift)])
    found = np.zeros(2)
    for _ in range(studies):
        baseline, arms = runs(rng, (n,), collapsing), runs(rng, (ARMS, n), collapsing)
        arms[0] += shift * np.sqrt(2)  # both sides have an sd of 1
        adjusted = holm(sign_flip_p(arms - baseline))
        found += adjusted[0] <= ALPHA, (adjusted[1:] <= ALPHA).any()
    return tuple(found / studies)


def family_error(n: int, collapsing: bool, studies: int = STUDIES) -> float:
    """Share of studies of ARMS arms without any difference in which one of them is significant."""
    rng = np.random.default_rng([n, collapsing, 99])
    wrong = 0
    for _ in range(studies):
        baseline, arms = runs(rng, (n,), collapsing), runs(rng, (ARMS, n), collapsing)
        wrong += (holm(sign_flip_p(arms - baseline)) <= ALPHA).any()
    return wrong / studies


def main() -> None:
    """Print the tables."""
    print(f"{STUDIES} simulated studies a cell.\n")
    print(
        "| runs | seeds | t interval covers % | bootstrap covers % | false positive in a null "
        "study % |"
    )
    print("| --- | --- | --- | --- | --- |")
    for collapsing in (False, True):
        for n in SEEDS:
            t, percentile = coverage(n, collapsing)
            name = f"{100 * COLLAPSE:.0f} % collapse" if collapsing else "Gaussian"
            error = family_error(n, collapsing)
            print(f"| {name} | {n} | {100 * t:.1f} | {100 * percentile:.1f} | {100 * error:.1f} |")
    print(
        f"\nPower: an arm of {ARMS} differs from the baseline by one sd of the paired difference.\n"
    )
    print("| seeds | power % | false positive of another arm % |")
    print("| --- | --- | --- |")
    for n in SEEDS:
        right, wrong = detected(n, 1.0, collapsing=False)
        print(f"| {n} | {100 * right:.1f} | {100 * wrong:.1f} |")


if __name__ == "__main__":
    main()
