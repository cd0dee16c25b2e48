"""What estimates on unchecked test labels are worth, by simulation with real predictions.

    python -m benchmarks.trained_predictions PREDICTIONS.npz
    python -m benchmarks.checked_labels PREDICTIONS.npz [--simulations 1000]

A test set of 1,000 digits has simulated wrong labels (`benchmarks/unchecked_test_sets.py`), and the
true values are known. Printed are:

1. how often intervals with 100 and 200 checked labels hold the true value, for the trained networks
   and for the arm, and how wide they are;
2. how often a difference is decided on unchecked labels, and whether rightly: as if they were true,
   by the declared structure of the noise, and with 200 checked labels.
"""

import argparse
from pathlib import Path

from benchmarks.checked_coverage import HEAD as COVERAGE
from benchmarks.checked_coverage import coverage
from benchmarks.checked_verdicts import HEAD as VERDICTS
from benchmarks.checked_verdicts import Decisions, verdicts
from benchmarks.unchecked_test_sets import NOISES, describe, load, pairs


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", type=Path, metavar="PREDICTIONS.npz")
    parser.add_argument("--simulations", type=int, default=1000)
    options = parser.parse_args()
    material = load(options.file)
    for pair in pairs(material):
        describe(pair, material)
    print(f"\nIntervals, {options.simulations} simulations a row, 95 % promised")
    print(COVERAGE)
    for pair in pairs(material):
        for name, noise in NOISES.items():
            for checked in (100, 200):
                row = coverage(material, pair, noise, checked, options.simulations)
                print(f"| {pair.name} | {name} | {checked} | {row} |", flush=True)
    print(f"\nVerdicts, {options.simulations} simulations a row")
    print(VERDICTS)
    together: dict[str, Decisions] = {}
    for pair in pairs(material):
        for name, noise in NOISES.items():
            for how, found in verdicts(material, pair, name, noise, options.simulations):
                print(f"| {pair.name} | {name} | {how} | {found.cells()} |", flush=True)
                together[how] = together[how] + found if how in together else found
    for how, found in together.items():
        print(f"| all pairs | all | {how} | {found.cells()} |")


if __name__ == "__main__":
    main()
