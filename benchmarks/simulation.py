"""What the judgement of a fixed list of seeds is worth: error, coverage and power, by simulation.

    python benchmarks/simulation.py [--studies 2000]

Prints the tables of docs/statistics.md. Every number comes from the functions that the report uses;
the seeds are fixed. Each study has six arms that share a baseline.
"""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from analysis.stats.attainable_p import ALPHA, CENTERS  # noqa: E402
from analysis.stats.max_t import max_t  # noqa: E402
from analysis.stats.multiple_testing import holm  # noqa: E402
from analysis.stats.paired import bootstrap, mean_interval, sign_flip_p  # noqa: E402

ARMS = 6
LEVEL = ALPHA * CENTERS
SEEDS = (6, 8, 12, 20)
EFFECTS = (1.0, 1.5, 2.0)
Draw = Callable[[np.random.Generator, int], np.ndarray]


def _like(draw: Callable[..., np.ndarray]) -> Draw:
    """Return differences (seeds, arms) of arms and a baseline with runs of one distribution."""
    return lambda rng, n: draw(rng, (n, ARMS)) - draw(rng, (n, 1))


DIFFERENCES: dict[str, Draw] = {
    "Gaussian": _like(lambda rng, shape: rng.normal(size=shape)),
    "t3": _like(lambda rng, shape: rng.standard_t(3, size=shape)),
    "skewed runs": _like(lambda rng, shape: rng.exponential(size=shape)),
    "arms skewed, the baseline not": lambda rng, n: (
        rng.exponential(size=(n, ARMS)) - 1 - rng.normal(size=(n, 1))
    ),
}


def errors(draw: Draw, seeds: int, studies: int) -> tuple[float, float, float, float]:
    """Return shares of null studies in percent.

    Returns:
        Any arm is better or worse; all simultaneous intervals hold the true difference, 0; the t
        interval of the first arm holds it; its bootstrap interval does.
    """
    rng = np.random.default_rng([seeds, 1])
    found = np.zeros(4)
    for _ in range(studies):
        differences = draw(rng, seeds)
        test = max_t(differences, LEVEL)
        low, high = mean_interval(differences[:, 0])[1:]
        boot_low, boot_high = bootstrap(differences[:, 0])
        found += [
            (test.p <= LEVEL).any(),
            ((test.low <= 0) & (test.high >= 0)).all(),
            low <= 0 <= high,
            boot_low <= 0 <= boot_high,
        ]
    return tuple(100 * found / studies)  # type: ignore[return-value]


def power(effect: float, seeds: int, studies: int) -> tuple[float, float]:
    """Return how often one arm of six is found that differs by `effect` sd of the differences.

    Returns:
        Percent for joint sign flips, and for Holm's correction of the arms' own p values.
    """
    rng = np.random.default_rng([seeds, 2])
    found = np.zeros(2)
    for _ in range(studies):
        differences = DIFFERENCES["Gaussian"](rng, seeds)
        differences[:, 0] += effect * np.sqrt(2)
        alone = holm(sign_flip_p(differences.T))[0]
        found += [max_t(differences, LEVEL).p[0] <= LEVEL, alone <= LEVEL]
    together, holms = 100 * found / studies
    return together, holms


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000, help="simulated studies a cell")
    studies = parser.parse_args().studies
    print(f"{studies} simulated studies a cell, {studies // 5} with 20 seeds.\n")
    print(
        "| runs | seeds | any arm better or worse, % | all six intervals hold 0, % | t interval "
        "of one arm, % | bootstrap, % |"
    )
    print("| --- | --- | --- | --- | --- | --- |")
    for name, draw in DIFFERENCES.items():
        for seeds in SEEDS:
            few = studies // 5 if seeds == 20 else studies
            text = " | ".join(f"{share:.1f}" for share in errors(draw, seeds, few))
            print(f"| {name} | {seeds} | {text} |", flush=True)
    print("\nOne arm of six differs, Gaussian runs: found, % (with Holm's correction).\n")
    print("| seeds | 1 sd | 1.5 sd | 2 sd |")
    print("| --- | --- | --- | --- |")
    for seeds in SEEDS:
        few = studies // 5 if seeds == 20 else studies
        cells = [power(effect, seeds, few) for effect in EFFECTS]
        text = " | ".join(f"{together:.0f} ({holms:.0f})" for together, holms in cells)
        print(f"| {seeds} | {text} |", flush=True)


if __name__ == "__main__":
    main()
