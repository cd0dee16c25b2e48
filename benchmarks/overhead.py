"""What the orchestrator costs on top of training: wall time against (seconds of training ÷ slots).

    python benchmarks/overhead.py [STUDY] [--set KEY=VALUE …]

Runs the study (default: the digits ablation) in a temporary folder, dashboard on, and prints the
wall seconds of the whole command against two sums over the trials: of `time/epoch_s`, training and
testing alone, and of the seconds from the making of a trial's folder to its summary: reading the
data and keeping rows, weights and pictures are a trial's own work, whoever runs it. Then the
seconds before the first trial and after the last, and the ratio without these. The machine should
be otherwise idle: trials that wait for a core count as training.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from trainable.storage import names  # noqa: E402


def born(folder: Path) -> float:
    """When a folder was made, in seconds since 1970; the file system must know."""
    return float(
        subprocess.run(
            ["stat", "--format=%.W", folder], capture_output=True, check=True, text=True
        ).stdout
    )


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("study", nargs="?", default="studies/ablation.yaml")
    parser.add_argument("--set", action="append", default=[], dest="sets")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as results:
        command = [sys.executable, "-m", "orchestrator", "run", options.study, "--results", results]
        for change in options.sets:
            command += ["--set", change]
        start = time.time()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        wall = time.time() - start
        summaries = [json.loads(path.read_bytes()) for path in Path(results).rglob(names.SUMMARY)]
        begun = [born(path.parent) for path in Path(results).rglob(names.TRIAL)]
    training = sum(summary[names.EPOCH_SECONDS] for summary in summaries)
    trials = sum(summary["finished"] for summary in summaries) - sum(begun)
    slots = os.cpu_count() or 1
    ideal = training / slots
    first, last = (
        min(begun) - start,
        start + wall - max(summary["finished"] for summary in summaries),
    )
    print(f"trials {len(summaries)}, slots {slots}, wall {wall:.1f} s")
    print(f"training {training:.1f} s, whole trials {trials:.1f} s")
    print(f"wall / (training / slots) = {wall / ideal:.3f}")
    print(f"wall / (whole trials / slots) = {wall / (trials / slots):.3f}")
    print(
        f"fixed: {first:.1f} s until the first trial begins, {last:.1f} s after the last one ends"
    )
    rest = wall - ideal - first - last
    print(f"besides these: {rest:.1f} s, {rest / len(summaries):.2f} a trial")
    print(f"(wall - fixed) / (training / slots) = {(ideal + rest) / ideal:.3f}")
    print(f"(wall - fixed) / (whole trials / slots) = {(ideal + rest) / (trials / slots):.3f}")


if __name__ == "__main__":
    main()
