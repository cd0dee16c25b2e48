"""How fast streamed images come, beside plain torchvision decoding of the same files.

    python benchmarks/streaming.py [--images 1500] [--workers 1] [--size 256] [--turns 5]

Writes JPEG photographs of 400×300 pixels of made-up content to a temporary folder and reads them in
batches of 64, scaled and cut to squares, in turns: torchvision's `ImageFolder`, `Resize`,
`CenterCrop` and `PILToTensor` in a `DataLoader`, and this project's stream. Printed are images per
second of processor time (main process and workers together, so that a busy machine changes little)
and per second of the clock, medians over the turns, and their ratios.
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.utils.data import DataLoader
from torchvision import datasets, transforms

from trainable.config.data import ImageFolder, NoNoise
from trainable.config.runtime import Machine
from trainable.data.prepare import prepare
from trainable.data.registry import load
from trainable.random_streams import Streams

BATCH = 64


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=1500)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        write_photographs(Path(folder), options.images)
        kinds = {"torchvision": plain(folder, options), "streamed": streamed(folder, options)}
        speeds: dict[str, list[tuple[float, float]]] = {name: [] for name in kinds}
        for _ in range(options.turns + 1):
            for name, read in kinds.items():
                speeds[name].append(speed(read))
    for k, what in enumerate(("processor second", "clock second")):
        median = {
            name: float(np.median([turn[k] for turn in turns[1:]]))
            for name, turns in speeds.items()
        }
        shown = ", ".join(f"{name} {value:.0f}" for name, value in median.items())
        print(f"images per {what}: {shown}; ratio {median['streamed'] / median['torchvision']:.3f}")


def write_photographs(root: Path, count: int) -> None:
    """JPEGs with a content that takes as long to decode as a photograph: blurred noise, about 25 kB
    each."""
    rng = np.random.default_rng(0)
    for k in range(count):
        small = Image.fromarray(rng.integers(0, 256, (75, 100, 3), dtype=np.uint8))
        path = root / ("test" if k < BATCH else "train") / str(k % 2) / f"{k}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        small.resize((400, 300), Image.Resampling.BICUBIC).save(path, quality=85)


def plain(folder: str, options: argparse.Namespace) -> Callable[[], Iterator[torch.Tensor]]:
    """torchvision's own way."""
    steps = [
        transforms.Resize(options.size),
        transforms.CenterCrop(options.size),
        transforms.PILToTensor(),
    ]
    images = datasets.ImageFolder(f"{folder}/train", transforms.Compose(steps))
    loader = DataLoader(
        images, BATCH, shuffle=True, num_workers=options.workers, persistent_workers=True
    )
    return lambda: (batch for batch, _ in loader)


def streamed(folder: str, options: argparse.Namespace) -> Callable[[], Iterator[torch.Tensor]]:
    """Ours."""
    data = ImageFolder(path=folder, size=options.size, validation_fraction=0, crop_padding=0)
    machine = Machine(threads=options.workers, resident=False)
    train = prepare(
        load(data, machine), data, NoNoise(), Streams(0), torch.device("cpu"), machine
    ).train

    def read() -> Iterator[torch.Tensor]:
        for batch in train.ahead(torch.randperm(len(train)).split(BATCH)):
            yield train.images.padded(batch)

    return read


def speed(read: Callable[[], Iterator[torch.Tensor]]) -> tuple[float, float]:
    """Images per second of processor time and of the clock, of one pass.

    The workers outlive the pass, so their seconds are read from /proc.
    """
    clock, processor, images = time.perf_counter(), processor_seconds(), 0
    for batch in read():
        images += len(batch)
    return images / (processor_seconds() - processor), images / (time.perf_counter() - clock)


def processor_seconds() -> float:
    """Of this process and of its living children."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    total = own.ru_utime + own.ru_stime
    for children in Path("/proc/self/task").glob("*/children"):
        for child in children.read_text().split():
            fields = Path(f"/proc/{child}/stat").read_text().rsplit(")", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) / 100
    return total


if __name__ == "__main__":
    main()
