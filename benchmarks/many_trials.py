"""Seconds of `plan` and `status` on a study with thousands of finished trials: `python
benchmarks/many_trials.py`."""

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

from orchestrator.results.store import Store  # noqa: E402
from orchestrator.study.load import load_study  # noqa: E402
from trainable.storage import names  # noqa: E402

STUDY = """
name: many
seeds: {seeds}
base: {{train: {{epochs: 3}}, method: {{warmup_epochs: 1}}}}
arms:
  no_mixup: {{method.mixup: false}}
  no_co_guess: {{method.co_guess: false}}
  one_network: {{method.networks: 1}}
"""
FINGERPRINT = {
    "code": "0123456789abcdef",
    "versions": {"torch": "2.11.0", "numpy": "2.3.0", "scipy": "1.16.0", "scikit-learn": "1.7.0"},
    "device": "cpu x86_64",
    "threads": 1,
}


def make(folder: Path, trials: int) -> tuple[Path, Path]:
    """Write a study of four arms and `trials` finished trials; (study file, its results)."""
    study = folder / "many.yaml"
    study.write_text(STUDY.format(seeds=list(range(trials // 4))))
    loaded = load_study(study)
    store = Store(folder / "results" / loaded.name)
    store.write_plan(loaded.text, loaded.plan)
    for trial in loaded.trials:
        path = store.folder(trial.record).path
        path.mkdir(parents=True)
        about = {
            "id": trial.record.id,
            "config": trial.config.model_dump(),
            "fingerprint": FINGERPRINT,
        }
        summary = {names.LAST10: 90 + trial.record.seed % 7, names.EPOCH_SECONDS: 3.5}
        measured = {names.TEST_ACCURACY: 90.0, names.EPOCH_SECONDS: 1.0}
        rows = [{"epoch": epoch, **measured} for epoch in (1, 2, 3)]
        (path / names.TRIAL).write_text(json.dumps(about, indent=1))
        (path / names.METRICS_FILE).write_text("".join(json.dumps(row) + "\n" for row in rows))
        (path / names.SUMMARY).write_text(json.dumps(summary, indent=1))
    return study, store.root


def main() -> None:
    """Make the folder, time both commands three times each, print the least."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=5000)
    trials = parser.parse_args().trials
    with tempfile.TemporaryDirectory(prefix="many-trials-") as folder:
        study, results = make(Path(folder), trials)
        for name, arguments in (
            ("plan", [study, "--results", results.parent]),
            ("status", [results]),
        ):
            seconds, busy = [], []
            for _ in range(3):
                start, before = time.perf_counter(), os.times()
                command = [sys.executable, "-m", "orchestrator", name, *map(str, arguments)]
                subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
                after = os.times()
                seconds.append(time.perf_counter() - start)
                busy.append(sum(after[2:4]) - sum(before[2:4]))
            print(
                f"{name} of {trials} finished trials: {min(seconds):.2f} s ({min(busy):.2f} s of "
                "CPU), best of three"
            )


if __name__ == "__main__":
    main()
