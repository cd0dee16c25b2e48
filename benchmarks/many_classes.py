"""Memory and processor time of judging many samples of many classes.

    python benchmarks/many_classes.py [--samples 1000000] [--classes 3000]

Two networks judge random 8×8 images, as a division does. Printed are the process's largest
resident memory before and after, and what one array (samples, classes) of logits would take.
"""

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from trainable.config.trial import TrialConfig  # noqa: E402
from trainable.data.arrays import Arrays, Split  # noqa: E402
from trainable.data.prepare import prepare  # noqa: E402
from trainable.engine.learner import Learner  # noqa: E402
from trainable.engine.predictions import predict_all  # noqa: E402
from trainable.models.build import build  # noqa: E402
from trainable.random_streams import Streams  # noqa: E402


def main() -> None:
    """Judge and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--classes", type=int, default=3000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    config = TrialConfig.model_validate(
        {
            "data": {"name": "npz", "path": "in memory", "validation_fraction": 0},
            "noise": {"name": "none"},
            "model": {"name": "small_cnn", "width": 8},
            "train": {"epochs": 2},
            "method": {"name": "dividemix", "warmup_epochs": 1},
        }
    )
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (options.samples, 8, 8, 1), dtype=np.uint8)
    labels = rng.integers(0, options.classes, options.samples)
    split = Split(images, labels)
    arrays = Arrays(split, None, split.only(np.arange(10)), options.classes, (0.5,), (0.25,))
    streams = Streams(0)
    cpu = torch.device("cpu")
    data = prepare(arrays, config.data, config.noise, streams, cpu)
    learners = [
        Learner(build(config.model, data.shape, options.classes, k), config.train, cpu)
        for k in (0, 1)
    ]
    before = gigabytes()
    start = time.process_time()
    predict_all(learners, data.train, lambda logits: torch.stack(tuple(logits)).sum(0))
    seconds = time.process_time() - start
    whole = options.samples * options.classes * 4 / 2**30
    print(
        f"{options.samples} samples, {options.classes} classes, two networks: {seconds:.0f} CPU s"
    )
    print(f"largest memory before {before:.2f} GiB, after {gigabytes():.2f} GiB")
    print(f"one array of logits: {whole:.2f} GiB")


def gigabytes() -> float:
    """Return the largest resident memory of this process so far, GiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
