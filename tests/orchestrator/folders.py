"""Trials and their folders as a study leaves them, without training anything."""

from typing import Any

from analysis.results.study_plan import TrialRecord
from orchestrator.results.store import Store
from trainable.storage.checksums import FORMAT
from trainable.storage.names import LAST10


def record(arm: str, seed: int = 0, epochs: int = 10, setting: str | None = None) -> TrialRecord:
    return TrialRecord(f"{setting}-{arm}-{seed}", setting, arm, seed, "arms", "baseline", epochs)


SUMMARY = {LAST10: 90.0, "data_hash": "d", "noise_hash": "n"}
"""The fields that every summary has."""


def make_trial(
    store: Store, trial: TrialRecord, state: str, accuracy: float = 95.834, **more: Any
) -> None:
    """Leave the trial's folder as a trial in this state leaves it: three epochs, unless it is done."""
    if state == "todo":
        return
    folder = store.folder(trial)
    folder.claim()
    identity = "other" if state == "stale" else trial.id
    folder.write_json("trial.json", {"id": identity, "format": FORMAT})
    for epoch in 1, 2, 3:  # how many rows a done trial has does not matter here
        folder.append_row({"epoch": epoch, "test/accuracy": 10.0 * epoch})
    if state in ("done", "stale"):
        folder.finish({**SUMMARY, LAST10: accuracy, "time/epoch_s": 12.34, **more})
    elif state == "failed":
        folder.write_json(
            "failure.json", {"kind": "data", "message": "it broke", "retry": False, "attempts": 1}
        )
    else:
        folder.save_checkpoint(b"state")
    folder.release()
