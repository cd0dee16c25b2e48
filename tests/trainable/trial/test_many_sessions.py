"""Many trials one after the other in one process, as a worker runs them: nothing is kept."""

import gc
import os
from pathlib import Path

from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.trial.session import Session


def train(folder: Path, seed: int) -> None:
    config = TrialConfig.model_validate(
        {
            "model": {"name": "small_cnn", "width": 4},
            "train": {"epochs": 1, "batch_size": 256},
            "method": {"name": "cross_entropy", "networks": 1},
            "seed": seed,
        }
    )
    session = Session(config, folder, Machine())
    while not session.finished:
        session.advance()
    session.close()


def held() -> tuple[int, int, float]:
    """Open files, threads, and memory in MB of this process."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    files, threads = (len(list(Path("/proc/self", kind).iterdir())) for kind in ("fd", "task"))
    return files, threads, pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def test_files_threads_and_memory_are_given_back(tmp_path):
    for seed in range(5):
        train(tmp_path / str(seed), seed)
    files, threads, memory = held()
    for seed in range(5, 25):
        train(tmp_path / str(seed), seed)
    after = held()
    assert after[0] <= files + 2
    assert after[1] <= threads + 2
    assert after[2] <= memory + 40
