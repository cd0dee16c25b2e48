"""Start TensorBoard over studies, and keep its folder up to date while it runs."""

import contextlib
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from tensorboard import default, program
from tensorboard.plugins.base_plugin import FlagsError

from analysis.results.study_plan import NoStudy
from orchestrator.display.tensorboard.layout import PINNED
from orchestrator.display.tensorboard.logdir import Logdir

UPDATE_S = 15.0
"""Seconds between two looks for new trials and rows of averages."""


def serve(run_dirs: Sequence[Path], arguments: Sequence[str], everything: bool = False) -> int:
    """Run TensorBoard over the studies in `run_dirs` until it is stopped; return its exit code.

    Args:
        run_dirs: the studies' folders.
        arguments: TensorBoard's own options.
        everything: whether to show all runs, even if TensorBoard then selects none.

    Raises:
        NoStudy: a folder contains no study results.
        ValueError: an option is wrong.
    """
    with tempfile.TemporaryDirectory(prefix="tensorboard-") as folder:
        server = program.TensorBoard(default.get_plugins())
        try:
            server.configure(["tensorboard", "--logdir", folder, *arguments])
        except FlagsError as error:
            raise ValueError(str(error)) from None
        logdir = Logdir(Path(folder), run_dirs, everything)
        print(f"TensorBoard shows {logdir.update()}.", file=sys.stderr)
        print(f"For the test accuracy on top, add to its address: {PINNED}", file=sys.stderr)
        stopped = threading.Event()
        updates = threading.Thread(target=_update, args=(logdir, stopped), daemon=True)
        updates.start()
        try:
            return int(server.main())
        finally:
            stopped.set()
            updates.join()


def _update(logdir: Logdir, stopped: threading.Event) -> None:
    """Update the folder until TensorBoard ends."""
    while not stopped.wait(UPDATE_S):
        # Files of a running study may be missing for a moment.
        with contextlib.suppress(NoStudy, OSError):
            logdir.update()
