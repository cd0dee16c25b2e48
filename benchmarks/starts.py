"""How often `run` starts on a busy machine: `python benchmarks/starts.py --load 8 --starts 50`.

Processes that compute without end keep the load; each start is a study of eight short trials with
results of its own. Printed are how many studies ended with all trials done, how many of them on
Ray, and what the others said.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STUDY = """
name: start
seeds: [0, 1, 2, 3]
base:
  data: {name: digits}
  noise: {name: symmetric, rate: 0.5}
  model: {name: small_cnn, width: 8}
  train: {epochs: 2, batch_size: 64, lr: 0.02}
  method: {name: cross_entropy}
arms:
  slower: {train.lr: 0.01}
"""
TRIALS = 8
ON_RAY = ("Ray dashboard:", "Ray started only without its dashboard")
PATIENCE_S = 1200


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Keep a number of processes computing."""
    command = [sys.executable, "-c", "while True: pass"]
    running = [subprocess.Popen(command) for _ in range(processes)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def start(folder: Path, number: int) -> tuple[bool, bool, str]:
    """Run the study once: whether all trials are done, whether on Ray, and what was noted."""
    study = folder / "start.yaml"
    study.write_text(STUDY)
    results = folder / str(number)
    command = [sys.executable, "-m", "orchestrator", "run", study, "--results", results]
    done = subprocess.run(
        list(map(str, command)), cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S
    )
    finished = len(list(results.rglob("summary.json"))) == TRIALS and done.returncode == 0
    lines = (done.stdout + done.stderr).splitlines()
    notes = "; ".join(line for line in lines if line.startswith("note:"))
    if not finished:
        notes = f"code {done.returncode}: {' / '.join(lines[-5:])}"
    return finished, any(words in done.stdout for words in ON_RAY), notes


def main() -> None:
    """Start the study again and again; print what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--load", type=int, default=8, help="Number of busy processes.")
    parser.add_argument("--starts", type=int, default=50)
    given = parser.parse_args()
    ended = on_ray = 0
    seconds = []
    with tempfile.TemporaryDirectory(prefix="starts-") as temporary, busy(given.load):
        for number in range(given.starts):
            before = time.perf_counter()
            finished, ray, notes = start(Path(temporary), number)
            seconds.append(time.perf_counter() - before)
            ended += finished
            on_ray += ray
            load = os.getloadavg()[0]
            print(
                f"{number + 1}: {'done' if finished else 'NOT DONE'}, "
                f"{'Ray' if ray else 'local processes'}, {seconds[-1]:.0f} s, load {load:.1f} "
                f"{notes}",
                flush=True,
            )
    print(
        f"{given.load} busy processes, {os.cpu_count()} cores: {ended} of {given.starts} studies "
        f"ended with all trials done, {on_ray} on Ray; {min(seconds):.0f} to {max(seconds):.0f} s"
    )


if __name__ == "__main__":
    main()
