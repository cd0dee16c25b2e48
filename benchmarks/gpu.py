"""What a trial gets out of a GPU, without Ray.

    python benchmarks/gpu.py --data cifar10.npz [--epochs 5] [--device cuda] [--precision bf16]
                             [--compile]

Trains DivideMix with the authors' ResNet on 50 % symmetric noise, two epochs of warm-up, and prints
the machine's rate of matrix products, then for each phase steps and images a second and, from the
FLOP of a counted forward pass, the fraction of that rate; the share of an epoch in which the device
computes nothing, by a profiler's events; peak memory; a whole run of 300 epochs at this speed; how
many times as long the plain program of `benchmarks/reference.py` takes; and what two and four
trials at once get together, each a process of its own, without and with NVIDIA's Multi-Process
Service if it is installed. Graphs are compiled in the first epoch of each phase, which no figure
includes.

With `--device cpu` and small `--images` it shows that everything runs; its numbers then say nothing
about a GPU.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.engine import Pair, network, read  # noqa: E402
from trainable.config.trial import TrialConfig  # noqa: E402
from trainable.data.prepare import prepare  # noqa: E402
from trainable.engine.learner import Learner  # noqa: E402
from trainable.methods.base import Row  # noqa: E402
from trainable.methods.dividemix import DivideMix  # noqa: E402
from trainable.random_streams import Streams  # noqa: E402

RUN, WARMUP = 300, 10
COMPILING = 3
"""The first epochs: two of warm-up and one of DivideMix."""


def main() -> None:
    """Measure and print; with --alone, the rows of one trial as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--data", type=Path, required=True, help=".npz with train_images, train_labels, test_…"
    )
    parser.add_argument("--images", type=int, default=10_000)
    parser.add_argument(
        "--epochs", type=int, default=5, help="two of warm-up, the others of DivideMix"
    )
    parser.add_argument(
        "--network", choices=["lenet", "preact_resnet18"], default="preact_resnet18"
    )
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="bf16")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--reference-images", type=int, default=2000, help="for the plain program")
    parser.add_argument("--packed", type=int, nargs="*", default=[2, 4], help="trials at once")
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.epochs <= COMPILING:
        parser.error(
            f"--epochs {options.epochs}: at least {COMPILING + 1}, the first are not measured"
        )
    if options.device.startswith("cuda") and not torch.cuda.is_available():
        parser.error(
            "there is no CUDA device; --device cpu with a few --images shows that everything runs"
        )
    if options.alone:
        print(json.dumps(trained(options)[0]))
        return
    device = torch.device(options.device)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    print(
        f"{name}, torch {torch.__version__}, {options.network}, {options.precision}, compile "
        f"{options.compile}"
    )
    rate, flop = matmul_rate(device, options.precision), flop_per_forward(options.network)
    print(
        f"matrix products: {rate / 1e12:.3g} TFLOP/s; a forward pass of one image: "
        f"{flop / 1e9:.3g} GFLOP"
    )
    single, idle = trained(options)
    describe(single, rate, flop)
    if device.type == "cuda":
        print(f"idle: {100 * idle:.1f} % of the last epoch")
        print(f"peak memory: {torch.cuda.max_memory_allocated(device) / 2**30:.2f} GiB")
    print(f"the plain program takes {reference_ratio(options):.1f} × as long for a training phase")
    alone = speed(single[COMPILING:])
    for service in (False, True):
        with multi_process_service() if service else nullcontext(True) as runs:
            if not runs:
                print("Multi-Process Service: not installed")
                break
            for count in options.packed:
                ratio = packed(count) / alone
                how = "with" if service else "without"
                print(f"{count} trials at once, {how} MPS: {ratio:.2f} × one alone")


@contextmanager
def multi_process_service() -> Iterator[bool]:
    """Run NVIDIA's Multi-Process Service for our own processes; whether it is installed."""
    control = shutil.which("nvidia-cuda-mps-control")
    if control is None:
        yield False
        return
    with tempfile.TemporaryDirectory() as folder:
        pipes = {"CUDA_MPS_PIPE_DIRECTORY": folder, "CUDA_MPS_LOG_DIRECTORY": folder}
        os.environ.update(pipes)
        try:
            subprocess.run([control, "-d"], check=True)
            yield True
            subprocess.run([control], input="quit\n", text=True, check=True)
        finally:
            for name in pipes:
                del os.environ[name]


def trained(options: argparse.Namespace) -> tuple[list[Row], float]:
    """Train; the row of each epoch, and the share of the last one in which the device was idle."""
    arrays, device = read(options.data, options.images), torch.device(options.device)
    config = TrialConfig.model_validate(
        {
            "data": {
                "name": "npz",
                "path": str(options.data),
                "flip": True,
                "validation_fraction": 0,
            },
            "noise": {"name": "symmetric", "rate": 0.5},
            "train": {"epochs": options.epochs, "precision": options.precision},
            "method": {"name": "dividemix", "warmup_epochs": 2},
        }
    )
    streams = Streams(0)
    data = prepare(arrays, config.data, config.noise, streams, device)
    learners = [
        Learner(network(options.network, k), config.train, device, options.compile)
        for k in range(2)
    ]
    method = DivideMix(config, data, learners, streams)
    found = [next(method) for _ in range(options.epochs - 1)]
    if device.type != "cuda":
        return [*found, next(method)], 0.0
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        start = synchronized(device)
        found.append(next(method))
        wall = synchronized(device) - start
    busy = sum(event.self_device_time_total for event in profile.key_averages()) / 1e6
    return found, 1 - busy / wall


def matmul_rate(device: torch.device, precision: str) -> float:
    """FLOP a second of square matrix products, the best of some."""
    size = 8192 if device.type == "cuda" else 512
    matrix = torch.randn(
        size, size, device=device, dtype=torch.bfloat16 if precision == "bf16" else torch.float32
    )
    best = 0.0
    for _ in range(10):
        start = synchronized(device)
        for _ in range(4):
            matrix @ matrix
        best = max(best, 4 * 2 * size**3 / (synchronized(device) - start))
    return best


def flop_per_forward(name: str) -> int:
    """FLOP of one image's forward pass."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network(name, 0)(torch.zeros(1, 3, 32, 32))
    return counter.get_total_flops()


def describe(single: list[Row], rate: float, flop: int) -> None:
    """Print each phase's speed and the length of a whole run, without the first epoch of each."""
    main_phase = single[COMPILING:]
    phases = {"warm-up": single[1:2], "DivideMix": main_phase}
    for name, epochs in phases.items():
        if not epochs:
            continue
        parts = {part: mean(epochs, f"time/{part}_s") for part in ("divide", "train", "eval")}
        shown = ", ".join(f"{part} {seconds:.3g} s" for part, seconds in parts.items() if seconds)
        work = mean(epochs, "work/forwards")
        print(
            f"{name}: {speed(epochs):.0f} forwards a second, "
            f"{100 * speed(epochs) * flop / rate:.1f} % of the rate"
        )
        print(f"  {work:.3g} forwards an epoch: {shown}")
    if main_phase:
        whole = WARMUP * single[1]["time/epoch_s"] + (RUN - WARMUP) * mean(
            main_phase, "time/epoch_s"
        )
        print(f"{RUN} epochs at this speed, {WARMUP} of warm-up: {whole / 60:.1f} minutes")


def speed(epochs: list[Row]) -> float:
    """Image-forward equivalents a second."""
    return sum(row["work/forwards"] for row in epochs) / sum(row["time/epoch_s"] for row in epochs)


def mean(epochs: list[Row], name: str) -> float:
    """Mean of a metric over rows, 0 where they have none."""
    return sum(row.get(name, 0.0) for row in epochs) / len(epochs)


def reference_ratio(options: argparse.Namespace) -> float:
    """Seconds of the plain program's training phase ÷ the engine's, on the same device, of the
    second run each."""
    arrays, device = read(options.data, options.reference_images), torch.device(options.device)
    pair = Pair(
        arrays,
        [network(options.network, k) for k in range(2)],
        guess_batched=False,
        device=options.device,
    )
    pair.method.learners = [
        Learner(
            learner.network,
            learner.train.model_copy(update={"precision": options.precision}),
            device,
            options.compile,
        )
        for learner in pair.method.learners
    ]
    times = []
    for run in pair.phases()["training"]:
        run()
        start = synchronized(device)
        run()
        times.append(synchronized(device) - start)
    return times[0] / times[1]


def packed(count: int) -> float:
    """Forwards a second of `count` trials together, in the epochs that compile nothing."""
    command = [sys.executable, *sys.argv, "--alone"]
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, env=os.environ) for _ in range(count)
    ]
    outputs: list[list[dict[str, Any]]] = [json.loads(each.communicate()[0]) for each in running]
    return sum(speed(output[COMPILING:]) for output in outputs)


def synchronized(device: torch.device) -> float:
    """The clock, once the device has done what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


if __name__ == "__main__":
    main()
