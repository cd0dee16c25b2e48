"""What besides its configuration a trial's numbers depend on: code, data, libraries, kind of
device."""

import platform
from importlib.metadata import version
from typing import Any

import torch

from trainable.storage.code_version import code_hash
from trainable.trial.trial import Trial


def fingerprint(trial: Trial) -> dict[str, Any]:
    """Plain data for `trial.json`: two trials with equal fingerprints and ids have equal rows on
    one machine's CPU."""
    device = (
        torch.cuda.get_device_name(trial.device)
        if trial.device.type == "cuda"
        else platform.machine()
    )
    compiled = ", compiled" * any(learner.compiled for learner in trial.method.learners)
    return {
        "code": code_hash(),
        "data": trial.data.data_hash,
        "noise": trial.data.noise_hash,
        "versions": {name: version(name) for name in ("torch", "numpy", "scipy", "scikit-learn")},
        "device": f"{trial.device.type} {device}{compiled}",
        "threads": torch.get_num_threads(),
        "precision": {"fp32": "float32", "bf16": "bfloat16"}[trial.config.train.precision],
    }
