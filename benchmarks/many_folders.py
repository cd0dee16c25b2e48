"""Make a study with thousands of finished trials: `python -m benchmarks.many_folders FOLDER`.

Folders are whole: 30 epochs of rows and TensorBoard's events of them, the table of 1,293 samples,
checksums. Accuracies are random numbers. `FOLDER/many.yaml` is the study, `FOLDER/results/many` its
results.
"""

import argparse
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.results.store import Store
from orchestrator.run.registration import register
from orchestrator.study.load import Study, load_study
from orchestrator.study.planned_trial import PlannedTrial
from trainable.config.trial import SCHEMA
from trainable.storage import names
from trainable.storage.checksums import FORMAT
from trainable.tensorboard.events import Events

STUDY = """
name: many
seeds: {seeds}
base: {{data: {{name: digits}}, train: {{epochs: 30}}, method: {{warmup_epochs: 10}}}}
arms:
  no_mixup: {{method.mixup: false}}
  no_co_guess: {{method.co_guess: false}}
  no_co_refine: {{method.co_refine: false}}
  one_network: {{method.networks: 1}}
  strong: {{method.name: cross_entropy, train.ema_decay: 0.9}}
factors:
  method.lambda_u: {{values: [0, 75]}}
  method.p_threshold: {{values: [0.3, 0.7]}}
"""
ARMS = 10
EPOCHS = 30
SAMPLES = 1293
FINGERPRINT = {
    "code": "0123456789abcdef",
    "versions": {"torch": "2.11.0", "numpy": "2.3.0", "scipy": "1.16.0", "scikit-learn": "1.7.0"},
    "device": "cpu x86_64",
    "threads": 1,
}
PER_NETWORK = ("division/auc", "division/precision", "division/recall", "division/threshold")


def rows(rng: np.random.Generator) -> list[dict[str, Any]]:
    """Return the rows of a trial."""
    written = []
    for epoch in range(1, EPOCHS + 1):
        row: dict[str, Any] = {"epoch": epoch, "phase": "dividemix"}
        row |= {f"{name}_net{k}": rng.random() for name in PER_NETWORK for k in (0, 1)}
        row |= {names.TEST_ACCURACY: 90 + 5 * rng.random(), "val/accuracy": 50.0}
        row |= {"loss/labeled": rng.random(), "loss/unlabeled": rng.random()}
        row |= {"time/epoch_s": 0.3, "time/train_s": 0.2, "work/forwards": 20000}
        written.append(row)
    return written


def samples(rng: np.random.Generator) -> bytes:
    """Return a table of samples."""
    content = io.BytesIO()
    per_network = rng.random((3, 2, SAMPLES)).astype(np.float16)
    classes = rng.integers(0, 10, SAMPLES)
    np.savez_compressed(
        content,
        source_index=np.arange(SAMPLES),
        split=np.zeros(SAMPLES, np.int8),
        given=classes,
        true=classes,
        epochs=np.array([11, 20, 30]),
        loss=per_network,
        clean_probability=per_network,
        ensemble_class=np.tile(classes, (3, 1)).astype(np.int16),
        ensemble_probability=per_network[:, 0],
    )
    return content.getvalue()


def finish(store: Store, trial: PlannedTrial, table: bytes) -> None:
    """Write the folder of a finished trial."""
    rng = np.random.default_rng(int(trial.record.id, 16))
    folder = store.folder(trial.record)
    folder.claim()
    config = trial.config.model_dump()
    about = {"id": trial.record.id, "schema": SCHEMA, "config": config}
    folder.write_json(names.TRIAL, {**about, "format": FORMAT, "fingerprint": FINGERPRINT})
    measured = rows(rng)
    lines = "".join(json.dumps(row) + "\n" for row in measured)
    (folder.path / names.METRICS_FILE).write_text(lines)
    (folder.path / names.SAMPLES).write_bytes(table)
    last10 = float(np.mean([row[names.TEST_ACCURACY] for row in measured[-10:]]))
    numbers = {name: value for name, value in measured[-1].items() if names.is_metric(name)}
    summary = (
        numbers
        | {"epochs": EPOCHS, names.LAST10: last10, names.BEST_ACCURACY: 95.0}
        | {names.SELECTED_ACCURACY: 94.0, "noise_rate": 0.45, "collapsed": False}
        | {"lost_classes": [], "noise_transition": np.full((10, 10), 0.1).tolist()}
        | {"data_hash": "digits", "noise_hash": str(trial.record.seed)}
    )
    place = {"setting": "", "arm": trial.record.arm, "seed": trial.record.seed}
    events = Events(folder.path, 0, config, place)
    for row in measured:
        events.add(row)
    events.close(summary)
    folder.finish(summary)
    folder.release()


def make(folder: Path, trials: int) -> tuple[Path, Path]:
    """Write a study of ten arms and `trials` finished trials.

    Returns:
        The study file, and its results.
    """
    file = folder / "many.yaml"
    file.write_text(STUDY.format(seeds=list(range(trials // ARMS))))
    study: Study = load_study(file)
    store = Store(folder / "results" / study.name)
    register(study, store)
    table = samples(np.random.default_rng(0))
    for trial in study.trials:
        finish(store, trial, table)
    store.write_plan(study.text, study.plan)
    return file, store.root


def main() -> None:
    """Read the command line, and make the folders without waiting for the disk."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--trials", type=int, default=5000)
    given = parser.parse_args()
    os.fsync = lambda descriptor: None  # type: ignore[assignment]
    given.folder.mkdir(parents=True, exist_ok=True)
    make(given.folder, given.trials)


if __name__ == "__main__":
    main()
