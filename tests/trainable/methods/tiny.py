"""A method on a tiny data set in memory: 8×8 images, networks of width 4, hundredths of a second an epoch."""

import numpy as np
import torch

from trainable.config.trial import TrialConfig
from trainable.data.arrays import Arrays, Split
from trainable.data.prepare import prepare
from trainable.engine.learner import Learner
from trainable.methods.base import Method, Row
from trainable.methods.dividemix import Division
from trainable.methods.registry import METHODS
from trainable.models.build import build
from trainable.random_streams import Streams

CPU = torch.device("cpu")


def blobs(n: int, classes: int, first: int) -> Split:
    """`n` images of classes that overlap: fixed stripes a class, under noise that `first` seeds."""
    stripes = np.random.default_rng(2).integers(40, 216, (classes, 8, 1, 1))  # a flip leaves it
    labels = np.arange(n) % classes
    noise = np.random.default_rng([1, first]).normal(0, 70, (n, 8, 8, 1))
    return Split(np.clip(stripes[labels] + noise, 0, 255).astype(np.uint8), labels.astype(np.int64))


def make(
    name: str = "dividemix",
    *,
    n: int = 120,
    classes: int = 3,
    noise: dict | None = None,
    model: dict | None = None,
    epochs: int = 3,
    batch_size: int = 16,
    lr: float = 0.1,
    schedule: dict | None = None,
    seed: int = 0,
    **switches,
) -> Method:
    """A method with `switches` on `n` training, 30 validation and 60 test images; one warm-up epoch if DivideMix."""
    if name == "dividemix":
        switches = {"warmup_epochs": 1, **switches}
    config = TrialConfig.model_validate(
        {
            "data": {"name": "npz", "path": "in memory", "crop_padding": 1, "flip": True},
            "noise": noise or {"name": "symmetric", "rate": 0.4},
            "model": model or {"name": "small_cnn", "width": 4},
            "train": {"epochs": epochs, "batch_size": batch_size, "lr": lr, **(schedule or {})},
            "method": {"name": name, **switches},
            "seed": seed,
        }
    )
    arrays = Arrays(
        blobs(n, classes, 0), blobs(30, classes, 1), blobs(60, classes, 2), classes, (0.5,), (0.25,)
    )
    streams = Streams(seed)
    data = prepare(arrays, config.data, config.noise, streams, CPU)
    networks = [
        build(config.model, data.shape, classes, streams.number(f"init{k}"))
        for k in range(config.method.networks)
    ]
    return METHODS[name](
        config, data, [Learner(network, config.train, CPU) for network in networks], streams
    )


def divisions(method: Method, *sizes: int) -> list[Division]:
    """A made-up division for each network: `sizes` random samples are labeled, with random weights above 0.5."""
    n, found = len(method.data.train), []
    for k, size in enumerate(sizes):
        rng = np.random.default_rng([2, k])
        labeled = np.zeros(n, bool)
        labeled[rng.permutation(n)[:size]] = True
        weight = torch.from_numpy(rng.uniform(0.5, 1, n).astype(np.float32))
        classes = torch.zeros(n, dtype=torch.int64)
        found.append(Division(np.zeros(n), classes, None, labeled, 0.5, weight))
    return found


def train_on(method: Method, found: list[Division], epoch: int = 1) -> Row:
    """One epoch of DivideMix's training, the one after `epoch` finished ones, on divisions made beforehand."""
    method.epoch = epoch
    for learner in method.learners:
        learner.start_epoch(epoch)
    return method.train_on(found)


def weights(learner: Learner) -> dict[str, torch.Tensor]:
    """A copy of a network's parameters and buffers."""
    return {name: tensor.clone() for name, tensor in learner.network.state_dict().items()}


def all_weights(method: Method) -> list[dict[str, torch.Tensor]]:
    """A copy of every network's parameters and buffers."""
    return [weights(learner) for learner in method.learners]


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    """Whether two copies are equal bit for bit."""
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def all_same(a: list[dict[str, torch.Tensor]], b: list[dict[str, torch.Tensor]]) -> bool:
    """Whether two copies of all networks are equal bit for bit."""
    return len(a) == len(b) and all(map(same, a, b))


def without_time(rows: list[Row]) -> list[Row]:
    """Rows without what no repetition can repeat."""
    return [
        {name: value for name, value in row.items() if not name.startswith("time/")} for row in rows
    ]
