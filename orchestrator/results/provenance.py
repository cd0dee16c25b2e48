"""Provenance of results: versions, git revision, host, command lines.

Results are shared, so nothing private is recorded: neither the environment nor uncommitted changes,
of which only a hash is kept, nor passwords in addresses.
"""

import hashlib
import json
import os
import platform
import re
import socket
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from trainable.storage.checksums import signed
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


PASSWORD = re.compile(r"://[^/@\s]+@")


def record(root: Path) -> None:
    """Add this run to `provenance.json` in the study's folder; a damaged file is renamed."""
    path = root / PROVENANCE
    runs = _recorded(path)
    code = Path(__file__).parent
    changes = _git(code, "diff", "HEAD")
    command = [Path(sys.argv[0]).name, *sys.argv[1:]]
    run: dict[str, Any] = {
        "time": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
        "command": [PASSWORD.sub("://…@", part) for part in command],
        "host": socket.gethostname(),
        "system": platform.platform(),
        "cpus": os.cpu_count(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in PACKAGES},
        "git_revision": _git(code, "rev-parse", "HEAD"),
        "uncommitted": hashlib.sha256(changes.encode()).hexdigest()[:16] if changes else None,
    }
    replace(path, json.dumps([*runs, signed(run)], indent=1).encode())


def _recorded(path: Path) -> list[Any]:
    """Return the runs of a file; a file that is not a list of runs is renamed."""
    try:
        runs = json.loads(path.read_bytes())
    except FileNotFoundError:
        return []
    except (OSError, ValueError):
        runs = None
    if isinstance(runs, list):
        return runs
    path.replace(path.with_suffix(".damaged"))
    return []


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:  # run from a checkout that was not installed
        return None


def _git(folder: Path, *arguments: str) -> str | None:
    """Return the output of git; None if there is no repository or no git."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    # A file of the checkout may have any encoding.
    return done.stdout.decode(errors="replace").strip() if done.returncode == 0 else None
