"""Fingerprint of a trial: code, data, libraries and device, on which its numbers also depend."""

import platform
from importlib.metadata import version
from typing import Any

import torch

from trainable.storage.code_version import code_hash
from trainable.trial.trial import Trial


def fingerprint(trial: Trial) -> dict[str, Any]:
    """Return the fingerprint of a trial as plain data for `trial.json`.

    On the CPU of one machine, two trials with equal ids and fingerprints have equal rows.
    """
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
