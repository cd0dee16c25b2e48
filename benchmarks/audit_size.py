"""What the audit of many samples costs: `python benchmarks/audit_size.py`.

The study is made, not trained: a table of samples as the trainer writes it, of ten classes, two
networks and two recorded epochs, in which 8 % of the labels are wrong. Printed are the CPU seconds,
the wall seconds and the largest memory of `python -m orchestrator audit`.
"""

import argparse
import io
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.command_cost import command_cost  # noqa: E402
from orchestrator.results.store import Store  # noqa: E402
from orchestrator.study.load import load_study  # noqa: E402
from trainable.config.runtime import Machine  # noqa: E402
from trainable.config.trial import SCHEMA  # noqa: E402
from trainable.data.registry import load  # noqa: E402
from trainable.storage import names  # noqa: E402
from trainable.storage.checksums import FORMAT  # noqa: E402

STUDY = """
name: large
seeds: {seeds}
base:
  data: {{name: npz, path: images.npz, validation_fraction: 0.05}}
  noise: {{name: none}}
  train: {{epochs: 3}}
  method: {{name: dividemix, warmup_epochs: 1}}
"""
CLASSES = 10
EPOCHS = 2
NETWORKS = 2
WRONG = 0.08
TESTS = 1000
HALF_SURE = 0.7


def write_data(folder: Path, samples: int, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Write images of 4×4 pixels; return true and given labels (samples,)."""
    true = rng.integers(0, CLASSES, samples)
    moved = (true + rng.integers(1, CLASSES, samples)) % CLASSES
    given = np.where(rng.random(samples) < WRONG, moved, true)
    np.savez(
        folder / "images.npz",
        train_images=rng.integers(0, 256, (samples, 4, 4), dtype=np.uint8),
        train_labels=true,
        train_noisy_labels=given,
        test_images=rng.integers(0, 256, (TESTS, 4, 4), dtype=np.uint8),
        test_labels=rng.integers(0, CLASSES, TESTS),
    )
    return true, given


def samples_table(true: np.ndarray, given: np.ndarray, rng: np.random.Generator) -> bytes:
    """Return a samples.npz: networks that are right about most labels."""
    order = rng.permutation(len(true))
    held, train = np.split(order, [len(order) // 20])
    rows = np.concatenate([np.sort(train), np.sort(held)])
    n, m = len(train), len(held)
    right = (true == given)[rows]
    predicted = np.where(rng.random((EPOCHS, n + m)) < 0.95, true[rows], given[rows])
    sure = rng.uniform(HALF_SURE, 1, (EPOCHS, n + m))
    noise = rng.random((EPOCHS, NETWORKS, n + m))
    own = np.where(right, 1 - 0.3 * noise, 0.2 * noise)
    clean = np.where(rng.random(own.shape) < 0.02, noise, np.where(right, 1, 0))
    tests = {
        "class": rng.integers(0, CLASSES, (EPOCHS, TESTS)).astype(np.int16),
        "probability": rng.random((EPOCHS, TESTS)).astype(np.float16),
        "loss": rng.random((EPOCHS, NETWORKS, TESTS)).astype(np.float16),
    }
    table: dict[str, Any] = {
        "source_index": rows,
        "split": np.repeat(np.array([0, 1], np.int8), (n, m)),
        "given": given[rows],
        "true": true[rows],
        "epochs": np.array([1, 3]),
        "loss": -np.log(np.maximum(own[..., :n], 1e-3)),
        "clean_probability": clean[..., :n],
        "ensemble_class": predicted[:, :n].astype(np.int16),
        "ensemble_probability": sure[:, :n],
        "label_margin": 10 * own[..., :n] - 5,
        "label_probability": own[..., :n],
        "validation_loss": -np.log(np.maximum(own[..., n:], 1e-3)),
        "validation_class": predicted[:, n:].astype(np.int16),
        "validation_probability": sure[:, n:],
        "test_source_index": np.arange(TESTS),
        "test_label": rng.integers(0, CLASSES, TESTS),
        "test_classes": rng.integers(0, CLASSES, (3, TESTS)).astype(np.int16),
        **{f"test_{name}": array for name, array in tests.items()},
    }
    for name, array in table.items():
        if array.dtype == float:
            table[name] = array.astype(np.float16)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **table)
    return buffer.getvalue()


def make(folder: Path, samples: int, trials: int) -> Path:
    """Write the data, the study and its finished trials; return the results."""
    rng = np.random.default_rng(0)
    true, given = write_data(folder, samples, rng)
    file = folder / "large.yaml"
    file.write_text(STUDY.format(seeds=list(range(trials))))
    study = load_study(file)
    data_hash = load(study.trials[0].config.data, Machine(study_dir=folder)).hash
    store = Store(folder / "results" / study.name)
    store.write_plan(study.text, study.plan)
    for trial in study.trials:
        trial_folder = store.folder(trial.record)
        trial_folder.claim()
        about = {"id": trial.record.id, "schema": SCHEMA, "config": trial.config.model_dump()}
        trial_folder.write_json(names.TRIAL, {**about, "format": FORMAT, "fingerprint": {}})
        row = f'{{"epoch": 3, "{names.TEST_ACCURACY}": 90.0}}\n'
        (trial_folder.path / names.METRICS_FILE).write_text(row)
        (trial_folder.path / names.SAMPLES).write_bytes(samples_table(true, given, rng))
        accuracies = {names.LAST10: 90.0, names.TEST_ACCURACY: 90.0}
        trial_folder.finish(
            {"epochs": 3, **accuracies, "data_hash": data_hash, "noise_hash": "given"}
            | {"noise_rate": WRONG, "collapsed": False, "lost_classes": []}
        )
        trial_folder.release()
    return store.root


def main() -> None:
    """Make the studies; print what each audit costs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--trials", type=int, nargs="+", default=[1, 3])
    given = parser.parse_args()
    print(f"{given.samples} samples, {CLASSES} classes, {NETWORKS} networks, {EPOCHS} epochs")
    for trials in given.trials:
        with tempfile.TemporaryDirectory(prefix="audit-size-") as temporary:
            folder = Path(temporary)
            results = make(folder, given.samples, trials)
            print(f"{trials} trials: {command_cost(folder, 'audit', results)}", flush=True)
            applied = command_cost(folder, "audit", results, "--apply", "corrected.csv")
            print(f"{trials} trials, --apply: {applied}", flush=True)


if __name__ == "__main__":
    main()
