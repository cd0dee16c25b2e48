"""The option `run --on-end`: a shell command that is run once when a run has ended."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.cli.exit_code import code_of
from orchestrator.exit_codes import FAILED
from orchestrator.plain_console import plain_console

EXIT_CODE = "DIVIDEMIX_EXIT_CODE"
RUN_DIR = "DIVIDEMIX_RUN_DIR"
STDERR = 2
"""Where the command's output goes: standard output is the run's own, for instance JSON."""


@contextmanager
def on_end(command: str, root: Path) -> Iterator[None]:
    """Run a shell command once the body has ended, whether well or badly.

    Its environment has the exit code of the run and the results folder. Whatever happens to the
    command, the run ends with its own code.

    Args:
        command: the command; empty: there is none.
        root: the study's results folder.
    """
    code = FAILED
    try:
        yield
    except BaseException as end:
        code = code_of(end)
        raise
    finally:
        if command:
            _run(command, code, root)


def _run(command: str, code: int, root: Path) -> None:
    """Run the command; print a note if it fails."""
    environment = os.environ | {EXIT_CODE: str(code), RUN_DIR: str(root.absolute())}
    done = subprocess.run(command, shell=True, env=environment, stdout=STDERR, check=False)
    if done.returncode:
        plain_console(stderr=True).print(
            f"note: --on-end: {command} ended with code {done.returncode}"
        )
