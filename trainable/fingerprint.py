"""What besides its configuration a trial's numbers depend on: code, data, libraries, kind of device."""

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from trainable.trial import Trial


def fingerprint(trial: Trial) -> dict[str, Any]:
    """Plain data for `trial.json`: two trials with equal fingerprints and ids have equal rows on one machine's CPU."""
    device = torch.cuda.get_device_name(trial.device) if trial.device.type == "cuda" else platform.machine()
    return {
        "code": code_hash(),
        "data": trial.data.data_hash,
        "noise": trial.data.noise_hash,
        "versions": {name: version(name) for name in ("torch", "numpy", "scipy", "scikit-learn")},
        "device": f"{trial.device.type} {device}",
        "threads": torch.get_num_threads(),
        "precision": "float32",
    }


def code_hash() -> str:
    """16 hex digits over the source files of this package."""
    package = Path(__file__).parent
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        digest.update(file.relative_to(package).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:16]
