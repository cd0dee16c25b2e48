"""The parts of an epoch that grow with the data set: seconds at a million samples.

    python benchmarks/parts.py [--samples 1000000] [--turns 3] [--seeds 8]

The mixture is fitted to made-up losses of two overlapping groups. Beside its seconds stands
scikit-learn's own fit: its seconds, how far its posteriors move from one seed to another (its
k-means stops early), and how far ours are from them.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.mixture import GaussianMixture

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from trainable.config.data import (  # noqa: E402
    AsymmetricNoise,
    PairNoise,
    SymmetricNoise,
)
from trainable.data.noise import corrupt, transition  # noqa: E402
from trainable.engine import metrics  # noqa: E402
from trainable.noisy_labels.gaussian_mixture import fit_mixture, normalise  # noqa: E402


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=8)
    options = parser.parse_args()
    n, turns, rng = options.samples, options.turns, np.random.default_rng(0)
    noisy = rng.random(n) < 0.4
    losses = normalise(np.where(noisy, rng.normal(3, 0.8, n), rng.gamma(2, 0.4, n)).clip(0))
    labels = rng.integers(0, 10, n)
    given = corrupt(labels, 10, SymmetricNoise(rate=0.4), rng)
    parts: dict[str, Callable[[], object]] = {
        "mixture fit": lambda: fit_mixture(losses),
        "mixture fit, scikit-learn": lambda: whole(losses, 0),
        "symmetric noise": lambda: corrupt(labels, 10, SymmetricNoise(rate=0.4), rng),
        "pair noise": lambda: corrupt(labels, 10, PairNoise(rate=0.4), rng),
        "asymmetric noise": lambda: corrupt(
            labels, 10, AsymmetricNoise(rate=0.4, map="cifar10"), rng
        ),
        "transition matrix": lambda: transition(labels, given, 10),
        "AUC": lambda: metrics.auc(losses, noisy),
    }
    print(f"{n:,} samples, processor seconds, the least of {turns}")
    for name, run in parts.items():
        print(f"{name:<28}{seconds(run, turns):7.3f}")
    theirs = np.stack([whole(losses, seed) for seed in range(options.seeds)])
    ours = fit_mixture(losses).clean_probability[None]
    print(
        f"largest difference of a posterior, {options.seeds} seeds: {largest(theirs, theirs):.1e} "
        "among scikit-learn's,"
    )
    print(
        f"{largest(ours, theirs):.1e} from ours to those; of the means over seeds "
        f"{largest(*means(ours, theirs)):.1e}"
    )


def largest(some: np.ndarray, others: np.ndarray) -> float:
    """The largest difference of an entry between any row of one and any row of the other, (seeds,
    n) each."""
    return max(float(np.abs(a - b).max()) for a in some for b in others)


def means(*posteriors: np.ndarray) -> list[np.ndarray]:
    """The mean over seeds, (1, n) each."""
    return [each.mean(0, keepdims=True) for each in posteriors]


def whole(losses: np.ndarray, seed: int) -> np.ndarray:
    """Clean probabilities (n,) by scikit-learn's fit to all losses, with the authors' settings."""
    model = GaussianMixture(2, max_iter=10, tol=1e-2, reg_covar=5e-4, random_state=seed)
    posterior = model.fit(losses[:, None]).predict_proba(losses[:, None])
    return posterior[:, model.means_.argmin()]


def seconds(run: Callable[[], object], turns: int) -> float:
    """The least processor seconds of some runs."""
    found = []
    for _ in range(turns):
        start = time.process_time()
        run()
        found.append(time.process_time() - start)
    return min(found)


if __name__ == "__main__":
    main()
