"""Searches without training: a formula writes the rows; journal, folders and pruner are the real ones."""

import math
from collections.abc import Callable
from pathlib import Path

from orchestrator.results.store import Store
from orchestrator.search.pool import SearchPool
from orchestrator.study.load import Study, load_study
from orchestrator.study.planned_trial import PlannedTrial
from trainable.config.trial import TrialConfig
from trainable.storage.checksums import FORMAT
from trainable.storage.trial_folder import TrialFolder

Curve = Callable[[TrialConfig, int], float]
"""Validation accuracy of a configuration after an epoch."""

STUDY = """\
name: toy
kind: search
metric: {name: val/accuracy, goal: maximize}
seeds: [0]
base:
  data: {name: digits, validation_fraction: 0.2}
  train: {epochs: EPOCHS}
  method: {warmup_epochs: 0}
space:
  train.lr: {low: 0.001, high: 1.0, log: true}
  method.p_threshold: {low: 0.1, high: 0.9}
  method.alpha: {low: 0.5, high: 8}
sampler: {name: SAMPLER, n_trials: TRIALS, seed: SEED}
scheduler: SCHEDULER
confirm: {top_k: 2, seeds: [100, 101]}
"""


def write(
    folder: Path,
    text: str = STUDY,
    epochs: int = 3,
    sampler: str = "random",
    trials: int = 8,
    seed: int = 0,
    scheduler: str = "none",
) -> Path:
    """A study file."""
    path = folder / "toy.yaml"
    values = {
        "EPOCHS": epochs,
        "SAMPLER": sampler,
        "TRIALS": trials,
        "SEED": seed,
        "SCHEDULER": scheduler,
    }
    for word, value in values.items():
        text = text.replace(word, str(value))
    path.write_text(text)
    return path


def opened(path: Path, root: Path) -> tuple[Study, SearchPool]:
    """The searches of a study file, brought in step with what lies in `root`, as a run does it."""
    study = load_study(path)
    assert study.search is not None
    searches = SearchPool(study.name, study.search, Store(root))
    searches.reconcile()
    return study, searches


def peak(config: TrialConfig, epoch: int) -> float:
    """Best at lr 0.05, p_threshold 0.4, alpha 2; grows with the epochs as learning curves do."""
    distance = (
        (math.log10(config.train.lr / 0.05) / 2) ** 2
        + (config.method.p_threshold - 0.4) ** 2
        + ((config.method.alpha - 2) / 8) ** 2
    )
    return 100 * math.exp(-3 * distance) * (1 - math.exp(-epoch / 3))


def begin(store: Store, planned: PlannedTrial) -> TrialFolder:
    """Claim a trial's folder, as a session does."""
    folder = store.folder(planned.record)
    folder.claim()
    folder.write_json(
        "trial.json",
        {"id": planned.record.id, "config": planned.config.model_dump(), "format": FORMAT},
    )
    return folder


def train(
    searches: SearchPool, planned: PlannedTrial, curve: Curve, until: int | None = None
) -> int:
    """Train a trial, perhaps only `until` an epoch, and go on from what its folder holds; returns epochs trained."""
    folder, name, trained = begin(searches.store, planned), planned.record.name, 0
    for epoch in range(len(folder.rows()) + 1, planned.record.epochs + 1):
        if until is not None and epoch > until:
            break
        row = {"epoch": epoch, "val/accuracy": curve(planned.config, epoch), "work/forwards": 10}
        folder.append_row({**row, "time/epoch_s": 0.1})
        trained += 1
        if epoch == planned.record.epochs:
            folder.finish(
                {
                    "test/accuracy_last10": 50.0,
                    "time/epoch_s": 1.0,
                    "data_hash": "d",
                    "noise_hash": "n",
                }
            )
        elif searches.observe(name):
            break
    folder.release()
    return trained


def run(searches: SearchPool, curve: Curve = peak, at_most: int | None = None) -> int:
    """Train what the searches propose, one trial at a time, in place of Ray; returns epochs trained."""
    epochs = count = 0
    while (at_most is None or count < at_most) and (planned := searches.next()):
        epochs += train(searches, planned, curve)
        searches.settle(planned.record.name)
        count += 1
    return epochs
