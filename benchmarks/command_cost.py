"""What a command of the orchestrator costs."""

import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def command_cost(folder: Path, *arguments: object) -> str:
    """Run `python -m orchestrator` with arguments in a folder; return its seconds and memory."""
    command = [sys.executable, "-m", "orchestrator", *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    printed = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    assert status == 0, f"{arguments[0]} failed: {printed}"
    busy = usage.ru_utime + usage.ru_stime
    return f"{seconds:.1f} s, {busy:.1f} CPU s, {usage.ru_maxrss / 1024:.0f} MB"
