"""Provenance of results: versions, git revision, host, command lines."""

import json
import os
import platform
import socket
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from trainable.storage.names import PROVENANCE
from trainable.storage.trial_folder import replace

PACKAGES = (
    "dividemix-orchestrator",
    "ray",
    "torch",
    "torchvision",
    "scikit-learn",
    "optuna",
    "numpy",
    "pydantic",
)


def record(root: Path) -> None:
    """Add this run to `provenance.json` in the study's folder."""
    path = root / PROVENANCE
    try:
        runs = json.loads(path.read_bytes())
    except (OSError, ValueError):
        runs = []
    code = Path(__file__).parent
    run: dict[str, Any] = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": [Path(sys.argv[0]).name, *sys.argv[1:]],
        "folder": str(Path.cwd()),
        "host": socket.gethostname(),
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "git_revision": _git(code, "rev-parse", "HEAD"),
        "git_diff": _git(code, "diff", "HEAD"),
    }
    replace(path, json.dumps([*runs, run], indent=1).encode())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a checkout that was not installed
        return None


def _git(folder: Path, *arguments: str) -> str | None:
    """Return the output of git; None if there is no repository or no git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None
