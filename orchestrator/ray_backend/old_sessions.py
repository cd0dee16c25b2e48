"""Folders that our own Rays leave in the temporary folder, each with logs of some megabytes.

Ray never deletes them. Each is marked with the process that started it, so that a later run can
delete those of ended processes, killed ones included, and nothing of other Rays on the machine.
"""

import contextlib
import json
import os
import shutil
from pathlib import Path

from orchestrator.results.lock import started

MARK = "dividemix-orchestrator.json"
"""File in a session's folder: process number and start time of the run that started it."""


def mark(session: Path) -> None:
    """Mark the folder of a Ray that this process has started."""
    pid = os.getpid()
    with contextlib.suppress(OSError):  # it only saves disk space later
        (session / MARK).write_text(json.dumps({"pid": pid, "started": started(pid)}))


def remove_ended(folder: Path) -> None:
    """Delete the folders of our Rays whose runs have ended."""
    for file in folder.glob(f"session_*/{MARK}"):
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            run = json.loads(file.read_text())
            if started(run["pid"]) != run["started"]:
                shutil.rmtree(file.parent, ignore_errors=True)
