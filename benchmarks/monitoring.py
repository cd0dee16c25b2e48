"""What watching a trial costs: TensorBoard's events and Ray's gauges against an epoch of a
CIFAR-sized network.

    python benchmarks/monitoring.py [--images 128] [--epochs 5] [--samples 50000]

Trains DivideMix with two PreAct ResNet-18 on made-up images of 32×32 pixels and measures, in
seconds of processor time, an epoch, its scalars, its gauges, and a picture of its division as drawn
for the whole of CIFAR-10 (`--samples`). An epoch of the whole data set takes `samples / images`
times as long, so the share printed is far above that of real use.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.ray_trainable import Gauges
from trainable.tensorboard.events import Events
from trainable.trial.trial import Trial

PLACE = {"study": "benchmark", "setting": "", "arm": "baseline", "seed": 0}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--samples", type=int, default=50_000)
    options = parser.parse_args()
    spent: dict[str, list[float]] = {"epoch": [], "scalars": [], "gauges": [], "pictures": []}
    with tempfile.TemporaryDirectory() as folder:
        config = TrialConfig.model_validate(
            {
                "data": {
                    "name": "npz",
                    "path": str(made_up(Path(folder), options.images)),
                    "validation_fraction": 0,
                },
                "noise": {"name": "symmetric", "rate": 0.4},
                "model": {"name": "preact_resnet18"},
                "train": {"epochs": options.epochs},
                "method": {"name": "dividemix", "warmup_epochs": 1},
            }
        )
        trial, gauges = Trial(config, Machine(device="cpu")), Gauges()
        whole = Trial(
            whole_data_set(config, Path(folder), options.samples), Machine(device="cpu")
        ).data
        events = Events(
            Path(folder), 0, config.model_dump(), {"setting": "", "arm": "baseline", "seed": 0}
        )
        for _ in range(options.epochs):
            with timed(spent["epoch"]):
                row = next(trial)
            with timed(spent["scalars"]):
                events.add(row)
            with timed(spent["gauges"]):
                gauges.show(row, PLACE)
            for record in trial.method.division.values():
                many = {name: repeated(values, options.samples) for name, values in record.items()}
                with timed(spent["pictures"]):
                    events.division(row["epoch"], many, whole, row)
        events.close(done=True)
        size = sum(file.stat().st_size for file in Path(folder).glob("events.out.*"))
    middle = {name: float(np.median(values[1:])) for name, values in spent.items()}
    print(
        f"{options.images} images, {options.epochs} epochs; medians without the first, in seconds "
        "of processor time"
    )
    for name, seconds in middle.items():
        print(f"{name:9} {seconds:8.4f}  {seconds / middle['epoch']:7.2%} of this epoch")
    share = (middle["scalars"] + middle["gauges"] + middle["pictures"]) / middle["epoch"]
    print(
        f"all monitoring, pictures in every epoch: {share:.2%} of an epoch of {options.images} "
        "images, which is"
    )
    print(f"{share * options.images / options.samples:.4%} of one of {options.samples}")
    print(f"{size / 1024:.0f} KiB of events, {len(spent['pictures'])} divisions among them")


def made_up(folder: Path, images: int) -> Path:
    """Random images of ten classes as an .npz file."""
    rng = np.random.default_rng(0)
    file, arrays = folder / f"{images}.npz", {}
    for part, count in (("train", images), ("test", 32)):
        arrays[f"{part}_images"] = rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
        arrays[f"{part}_labels"] = np.arange(count) % 10
    np.savez(file, **arrays)
    return file


def whole_data_set(config: TrialConfig, folder: Path, samples: int) -> TrialConfig:
    """The same trial with as many images as the real data set has, for its pictures only."""
    data = config.data.model_copy(update={"path": str(made_up(folder, samples))})
    return config.model_copy(update={"data": data})


def repeated(values: np.ndarray, count: int) -> np.ndarray:
    """Values (…, n) as (…, count)."""
    return np.take(values, np.arange(count) % values.shape[-1], axis=-1)


@contextmanager
def timed(seconds: list[float]) -> Iterator[None]:
    """Append the block's processor time."""
    start = time.process_time()
    yield
    seconds.append(time.process_time() - start)


if __name__ == "__main__":
    main()
