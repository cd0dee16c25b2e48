"""What several seeds of one arm would gain by training in one process, as one stack of networks.

    OMP_NUM_THREADS=1 python benchmarks/stacked.py [--steps 100]

Upper bound, on one thread: a training step (forward, cross-entropy, backward, SGD with momentum) of
a stack of networks by torch.func.stack_module_state and vmap, against as many separate steps, in
CPU seconds, the least of three turns. Seeds have labeled sets of different sizes, so that a stack
takes as many steps as the largest set needs: the padding is read from the rows of a bundled study.
The bound of whole trials takes the share of training from the same rows, and leaves the rest of an
epoch as it is.
"""

import argparse
import json
import math
import sys
import tarfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, stack_module_state

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from trainable.config.models import Mlp, SmallCnn  # noqa: E402
from trainable.config.optimization import Train  # noqa: E402
from trainable.models.build import build  # noqa: E402

BUNDLE = ROOT / "docs/bundles/ablation_80.tar.xz"
"""A finished study of the digits: 80 % symmetric noise, one setting."""
SAMPLES = 1365
"""Training samples of its trials: 1,437 without the validation set of 5 %."""
STACKED = (4, 8)
TURNS = 3
CLASSES = 10
CASES: dict[str, tuple[SmallCnn | Mlp, tuple[int, ...], int]] = {
    "mlp, width 128, 768 features, batch 64": (Mlp(width=128), (768,), 64),
    "small_cnn, 1×8×8, batch 64": (SmallCnn(), (1, 8, 8), 64),
}
Step = Callable[[], None]


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=100, help="steps of a turn")
    options = parser.parse_args()
    torch.set_num_threads(1)
    gains = {}
    print("one training step, CPU ms: S separate steps, one step of a stack of S, their ratio")
    for name, (model, shape, batch) in CASES.items():
        for count in STACKED:
            gain = measured(name, model, shape, batch, count, options.steps)
            gains[name, count] = gain
    padding, share = of_trials(BUNDLE, Train().batch_size)
    print(f"\n{BUNDLE.name}, baseline: training is {100 * share:.0f} % of an epoch's wall time")
    print("stack of S seeds: steps of the largest labeled set ÷ mean steps; bound of whole trials")
    for count in STACKED:
        best = max(gain for (_, stacked), gain in gains.items() if stacked == count)
        bound = 1 / (1 - share + share * padding[count] / best)
        print(
            f"  S = {count}: {padding[count]:.2f}; at most {bound:.2f} × (best step {best:.2f} ×)"
        )


def measured(
    name: str, model: SmallCnn | Mlp, shape: tuple[int, ...], batch: int, count: int, steps: int
) -> float:
    """Print and return how much faster a stack of networks is than separate ones."""
    networks = [build(model, shape, CLASSES, seed).train() for seed in range(count)]
    images = torch.randn(count, batch, *shape)
    labels = torch.randint(0, CLASSES, (count, batch))
    alone = least_seconds(separate_step(networks, images, labels), steps)
    together = least_seconds(stacked_step(networks, images, labels), steps)
    gain = alone / together
    print(
        f"  {name}, S = {count}: {1e3 * alone:.2f}, {1e3 * together:.2f}, {gain:.2f} ×", flush=True
    )
    return gain


def separate_step(
    networks: Sequence[nn.Module], images: torch.Tensor, labels: torch.Tensor
) -> Step:
    """Return a step of each network by itself."""
    optimizers = [torch.optim.SGD(each.parameters(), 0.01, 0.9, foreach=True) for each in networks]

    def step() -> None:
        for k, (network, optimizer) in enumerate(zip(networks, optimizers, strict=True)):
            optimizer.zero_grad()
            F.cross_entropy(network(images[k]), labels[k]).backward()
            optimizer.step()

    return step


def stacked_step(networks: Sequence[nn.Module], images: torch.Tensor, labels: torch.Tensor) -> Step:
    """Return a step of all networks at once."""
    parameters, buffers = stack_module_state(list(networks))
    optimizer = torch.optim.SGD(list(parameters.values()), 0.01, 0.9, foreach=True)
    skeleton = networks[0]

    def loss(
        weights: dict[str, torch.Tensor],
        statistics: dict[str, torch.Tensor],
        batch: torch.Tensor,
        given: torch.Tensor,
    ) -> torch.Tensor:
        logits = functional_call(skeleton, (weights, statistics), (batch,))
        return F.cross_entropy(logits, given)

    losses = torch.vmap(loss)

    def step() -> None:
        optimizer.zero_grad()
        losses(parameters, buffers, images, labels).sum().backward()
        optimizer.step()

    return step


def least_seconds(step: Step, steps: int) -> float:
    """Return the CPU seconds of a step, the least of three turns."""
    for _ in range(5):
        step()
    turns = []
    for _ in range(TURNS):
        start = time.process_time()
        for _ in range(steps):
            step()
        turns.append((time.process_time() - start) / steps)
    return min(turns)


def of_trials(bundle: Path, batch: int) -> tuple[dict[int, float], float]:
    """Return the padding of stacks of the baseline's seeds, and the share of training in an epoch.

    Padding: number of steps that a stack of the first S seeds takes, ÷ the mean number that its
    seeds take alone, mean over epochs after the warm-up and networks.
    """
    by_seed = []
    with tarfile.open(bundle) as archive:
        for member in archive.getmembers():
            if "/baseline/" in member.name and member.name.endswith("metrics.jsonl"):
                stream = archive.extractfile(member)
                assert stream is not None
                by_seed.append([json.loads(line) for line in stream])
    rows = [row for trial in by_seed for row in trial if row["phase"] == "dividemix"]
    share = sum(row["time/train_s"] for row in rows) / sum(row["time/epoch_s"] for row in rows)
    padding = {}
    for count in STACKED:
        ratios = []
        for epoch in zip(*by_seed[:count], strict=True):
            if epoch[0]["phase"] != "dividemix":
                continue
            for network in (0, 1):
                name = f"division/labeled_fraction_net{network}"
                steps = [math.ceil(SAMPLES * row[name] / batch) for row in epoch]
                ratios.append(max(steps) * count / sum(steps))
        padding[count] = sum(ratios) / len(ratios)
    return padding, share


if __name__ == "__main__":
    main()
