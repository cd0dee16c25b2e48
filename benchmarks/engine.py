"""The engine beside a plain program: processor seconds of each phase of DivideMix, on one thread.

    python benchmarks/engine.py --data cifar10.npz [--images 2000] [--turns 5]
                                [--network lenet|preact_resnet18]

The plain program is `benchmarks/reference.py`. Both get the same images, labels, networks and
division (every second image is labeled). First a step of each is compared on the same views; then
each phase is run by both in turns, so that another program on the machine slows both. Printed are
medians over the turns and, for each phase, the median ratio of a turn, as a whole and apart for
loading (decoding, augmenting, normalising) and computing (everything else).
"""

import argparse
import copy
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.reference import BATCH, Reference  # noqa: E402
from trainable.config.models import PreactResNet18  # noqa: E402
from trainable.config.trial import TrialConfig  # noqa: E402
from trainable.data.arrays import Arrays, Split  # noqa: E402
from trainable.data.prepare import prepare  # noqa: E402
from trainable.engine.learner import Learner  # noqa: E402
from trainable.methods.dividemix import DivideMix  # noqa: E402
from trainable.methods.dividemix_division import Division  # noqa: E402
from trainable.models.build import build  # noqa: E402
from trainable.noisy_labels.ramp_up import ramp_up  # noqa: E402
from trainable.random_streams import Streams  # noqa: E402

MEAN, STD = (0.4914, 0.4822, 0.4465), (0.2023, 0.1994, 0.2010)
PHASES = ("warm-up", "loss evaluation", "training", "test")


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help=".npz with train_images, train_labels, test_…"
    )
    parser.add_argument("--images", type=int, default=2000, help="training images (default: 2000)")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--network", choices=["lenet", "preact_resnet18"], default="lenet")
    options = parser.parse_args()
    torch.set_num_threads(1)
    arrays = read(options.data, options.images)
    networks = [network(options.network, k) for k in range(2)]
    small = replace(arrays, train=first(arrays.train, 2 * BATCH))
    pair = Pair(small, [copy.deepcopy(each) for each in networks], guess_batched=False)
    print(
        f"{options.network}, {len(arrays.train)} images, {processor()}, one thread, torch "
        f"{torch.__version__}"
    )
    print(
        "largest difference of one step: losses {:.1e}, weights {:.1e}\n".format(*pair.difference())
    )
    for guess_batched in (False, True):
        pair = Pair(arrays, [copy.deepcopy(each) for each in networks], guess_batched)
        print(f"guess_batched: {str(guess_batched).lower()}")
        print(table(measure(pair, options.turns), len(arrays.train)), end="\n\n")


def read(file: Path, count: int) -> Arrays:
    """The first `count` training images of a MedMNIST-layout file, and a quarter as many test
    images."""
    content = np.load(file)
    train, test = (
        first(
            Split(content[f"{name}_images"], content[f"{name}_labels"].ravel().astype(np.int64)), n
        )
        for name, n in (("train", count), ("test", count // 4))
    )
    return Arrays(train, None, test, 10, MEAN, STD)


def first(split: Split, count: int) -> Split:
    """The first rows of a split."""
    return Split(split.images[:count], split.labels[:count])


def network(name: str, seed: int) -> nn.Module:
    """A fresh network for 32×32 images: LeNet-5 (62,006 weights), or the authors' ResNet."""
    if name == "preact_resnet18":
        return build(PreactResNet18(), (3, 32, 32), 10, seed)
    torch.manual_seed(seed)
    return nn.Sequential(
        *(
            nn.Conv2d(3, 6, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 5),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ),
        *(
            nn.Flatten(),
            nn.Linear(400, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, 10),
        ),
    )


class Pair:
    """The engine and the reference with the same data, weights and division."""

    def __init__(
        self,
        arrays: Arrays,
        networks: list[nn.Module],
        guess_batched: bool,
        guess_mode: str = "train",
        device: str = "cpu",
    ):
        self.config = TrialConfig.model_validate(
            {
                "data": {
                    "name": "npz",
                    "path": "in memory",
                    "flip": True,
                    "validation_fraction": 0,
                },
                "noise": {"name": "symmetric", "rate": 0.5},
                "train": {"epochs": 300, "batch_size": BATCH},
                "method": {
                    "name": "dividemix",
                    "warmup_epochs": 1,
                    "guess_batched": guess_batched,
                    "guess_mode": guess_mode,
                },
            }
        )
        streams, place = Streams(0), torch.device(device)
        self.data = prepare(arrays, self.config.data, self.config.noise, streams, place)
        given, labeled = self.data.train.given.cpu().numpy(), np.arange(len(arrays.train)) % 2 == 0
        weight = np.random.default_rng(0).uniform(0.5, 1, len(given)).astype(np.float32)
        test = (arrays.test.images, arrays.test.labels)
        assert isinstance(arrays.train.images, np.ndarray)
        plain = [copy.deepcopy(each) for each in networks]
        self.reference = Reference(plain, arrays.train.images, given, test, MEAN, STD, place)
        learners = [Learner(each, self.config.train, place) for each in networks]
        self.method = DivideMix(self.config, self.data, learners, streams)
        self.method.epoch = 1
        for learner in learners:
            learner.start_epoch(1)
        classes = torch.zeros(len(given), dtype=torch.int64, device=place)
        clean = torch.from_numpy(weight).to(place)
        division = Division(np.zeros(len(given)), classes, None, labeled, 0.5, clean)
        self.divisions = [division, division]

    def difference(self) -> tuple[float, float]:
        """Largest difference of the losses and of the weights after one epoch of training on the
        same views.

        Losses are compared as an epoch's means, so the data should make one step.
        """
        row, found = self.method.train_on(self.divisions), []
        for k in range(2):
            division, counters = self.divisions[1 - k], (self.method.epoch, k)
            stream = self.method.streams.torch("augment", *counters, device=self.data.train.device)
            views = self.data.train.draws(stream)
            mixing, partners = (
                self.method.streams.numpy("mixup", *counters, part) for part in (0, 1)
            )
            for x, u, progress in self.method.batches(division.labeled, k):
                views_x, views_u = (self.data.train.views(index, 2, views) for index in (x, u))
                share = mixing.beta(self.method.method.alpha, self.method.method.alpha)
                partner = torch.from_numpy(partners.permutation(2 * (len(x) + len(u))))
                lambda_u = self.method.method.lambda_u * ramp_up(
                    progress, 1, self.method.method.rampup_epochs
                )
                labels, clean = self.data.train.given[x], division.weight[x]
                share = max(share, 1 - share)
                guess_mode = self.method.method.guess_mode
                terms = self.reference.step(
                    k, views_x, views_u, labels, clean, share, partner, lambda_u, guess_mode
                )
                found.append(terms)
        ours = [row[f"loss/{name}"] for name in ("labeled", "unlabeled", "prior")]
        weights = [
            (a - b).detach().abs().max().item()
            for learner, plain in zip(self.method.learners, self.reference.networks, strict=True)
            for a, b in zip(learner.network.parameters(), plain.parameters(), strict=True)
        ]
        return float(np.abs(np.mean(found, 0) - ours).max()), max(weights)

    def phases(self) -> dict[str, tuple[Callable[[], object], Callable[[], object]]]:
        """(reference, engine) for each phase of both networks, and for the loading in it."""
        plain, method = self.reference, self.method
        labeled, weight = self.divisions[0].labeled, self.divisions[0].weight.cpu().numpy()
        return {
            "warm-up": (lambda: [plain.warm_up(k) for k in range(2)], method.cross_entropy_epoch),
            "loss evaluation": (
                lambda: [plain.divide(k) for k in range(2)],
                method.divide_samples,
            ),
            "training": (
                lambda: [plain.train(k, labeled, weight) for k in range(2)],
                lambda: method.train_on(self.divisions),
            ),
            "test": (plain.test, method.evaluate),
            "loading of warm-up": (
                lambda: [list(plain.warmup_loader()) for _ in range(2)],
                self._load_warmup,
            ),
            "loading of loss evaluation": (
                lambda: [list(plain.judging_loader()) for _ in range(2)],
                self._load_plain,
            ),
            "loading of training": (
                lambda: [
                    list(loader)
                    for _ in range(2)
                    for loader in plain.training_loaders(labeled, weight)
                ],
                self._load_views,
            ),
        }

    def _load_warmup(self) -> None:
        train = self.data.train
        for k in range(2):
            views = train.draws(self.method.streams.torch("augment", 0, k, device=train.device))
            for batch in self.method.shuffled(np.arange(len(train)), k).split(2 * BATCH):
                train.views(batch, 1, views)

    def _load_plain(self) -> None:
        size = self.data.train.most_at_once
        for start in 2 * list(range(0, len(self.data.train), size)):
            self.data.train.plain(slice(start, start + size))

    def _load_views(self) -> None:
        for k in range(2):
            stream = self.method.streams.torch("augment", 1, k, device=self.data.train.device)
            views = self.data.train.draws(stream)
            for x, u, _ in self.method.batches(self.divisions[k].labeled, k):
                for index in (x, u):
                    self.data.train.views(index, 2, views)


@dataclass(frozen=True)
class Seconds:
    """Processor seconds of a phase, (turns,) each."""

    reference: np.ndarray
    engine: np.ndarray

    def __add__(self, other: "Seconds") -> "Seconds":
        return Seconds(self.reference + other.reference, self.engine + other.engine)

    def __sub__(self, other: "Seconds") -> "Seconds":
        return Seconds(self.reference - other.reference, self.engine - other.engine)

    @property
    def ratio(self) -> float:
        """How many times as long the reference takes: the median over turns."""
        return float(np.median(self.reference / self.engine))


def measure(
    pair: Pair, turns: int, clock: Callable[[], float] = time.process_time
) -> dict[str, Seconds]:
    """Seconds of each phase, reference and engine one after the other; a first turn is not
    counted."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in pair.phases()}
    for _ in range(turns + 1):
        for name, sides in pair.phases().items():
            times = []
            for run in sides:
                start = clock()
                run()
                times.append(clock() - start)
            found[name].append((times[0], times[1]))
    return {name: Seconds(*np.transpose(values[1:])) for name, values in found.items()}


def table(seconds: dict[str, Seconds], images: int) -> str:
    """The phases in columns: seconds, ratios, training images a second, shares of a DivideMix
    epoch."""
    epoch = seconds["loss evaluation"] + seconds["training"] + seconds["test"]
    whole = [float(np.median(side)) for side in (epoch.reference, epoch.engine)]
    lines = [
        f"{'both networks':<16} {'reference s':>11} {'engine s':>9} {'ratio':>6} {'loading':>8} "
        f"{'computing':>9} "
        f"{'images/s':>15} {'% of an epoch':>14}"
    ]
    for name, each in [*((name, seconds[name]) for name in PHASES), ("DivideMix epoch", epoch)]:
        reference, engine = (float(np.median(side)) for side in (each.reference, each.engine))
        loading = seconds.get(f"loading of {name}")
        apart = f"{loading.ratio:8.2f} {(each - loading).ratio:9.2f}" if loading else " " * 18
        seen = 2 * (images // 4 if name == "test" else images)
        shares = (
            f"{100 * reference / whole[0]:5.0f} →{100 * engine / whole[1]:4.0f}"
            if name != "warm-up"
            else ""
        )
        speed = f"{seen / reference:.0f} → {seen / engine:.0f}" if name != "DivideMix epoch" else ""
        lines.append(
            f"{name:<16} {reference:11.3f} {engine:9.3f} {each.ratio:6.2f} {apart} {speed:>15} "
            f"{shares:>14}"
        )
    return "\n".join(lines)


def processor() -> str:
    """The processor's name, as the system tells it."""
    info = Path("/proc/cpuinfo")
    names = [
        line.split(":")[1].strip()
        for line in info.read_text().splitlines()
        if line.startswith("model name")
    ]
    return f"{len(names)} cores of {names[0]}" if names else platform.processor()


if __name__ == "__main__":
    main()
