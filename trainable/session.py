"""One trial at work in its folder: goes on where it stopped, keeps every epoch, ends in a summary or a failure.

Ray Tune, `python -m trainable` and the tests drive the same object: `advance` until `finished`, then `close`.
"""

import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from trainable.config import TrialConfig, trial_id
from trainable.errors import TrialError
from trainable.events import Events
from trainable.fingerprint import fingerprint
from trainable.folder import LostFolder, TrialFolder
from trainable.machine import Machine
from trainable.methods.base import Row
from trainable.trial import Trial

T = TypeVar("T")


class Session:
    """Claims the folder, builds the trial and continues from the newest whole checkpoint.

    A `TrialError` (wrong data, non-finite loss) is written to `failure.json` and ends the session: trying again would
    not help. Any other exception is written too and raised, so that the caller may try again.
    """

    def __init__(self, config: TrialConfig, folder: Path | str, machine: Machine):
        self.config, self.machine = config, machine
        self.folder = TrialFolder(folder)
        self.folder.claim()
        self.trial: Trial | None = None
        self._events: Events | None = None
        self.finished = self.folder.summary is not None
        if not self.finished:
            self._guarded(self._open)

    def _open(self) -> None:
        about = {"id": trial_id(self.config), "config": self.config.model_dump()}
        self.folder.write_json("trial.json", about)
        self.trial = Trial(self.config, self.machine)
        self._resume(self.trial)
        self.folder.write_json("trial.json", {**about, "fingerprint": fingerprint(self.trial)})
        self._events = Events(self.folder.path, self.trial.epoch)
        if self.trial.epoch == self.config.train.epochs:  # stopped between its last epoch and its summary
            self._finish(self.trial)

    def _resume(self, trial: Trial) -> None:
        rows = self.folder.rows()
        for state in self.folder.load_checkpoints():
            trial.restore(state, rows)
            if [row["epoch"] for row in trial.rows] == list(range(1, trial.epoch + 1)):
                self.folder.log(f"goes on after epoch {trial.epoch}")
                break
            self.folder.log(f"rows of epochs before {trial.epoch} are missing: this checkpoint is not used")
            self.trial = trial = Trial(self.config, self.machine)
        self.folder.keep_rows(trial.epoch)

    def advance(self) -> Row | None:
        """Train one epoch, keep it and return its row; None if the session has ended without one."""
        return None if self.finished else self._guarded(self._advance)

    def _advance(self) -> Row:
        assert self.trial is not None
        assert self._events is not None
        row = next(self.trial)
        self.folder.append_row(row)
        self._events.add(row)
        if self.trial.is_best:
            self.folder.write("best.pt", self.trial.weights())
        self.folder.save_checkpoint(self.trial.state())
        if self.trial.epoch == self.config.train.epochs:
            self._finish(self.trial)
        return row

    def _finish(self, trial: Trial) -> None:
        self.folder.write("model.pt", trial.weights())
        self.folder.write("samples.npz", trial.samples())
        self.folder.finish(trial.summary())
        self.finished = True

    def _guarded(self, work: Callable[[], T]) -> T | None:
        """Run `work`; write down whatever ends it."""
        try:
            return work()
        except LostFolder:
            raise
        except TrialError as error:
            self._fail(error, error.kind, retry=False)
            self.finished = True
            return None
        except Exception as error:
            self._fail(error, type(error).__name__, retry=True)
            raise

    def _fail(self, error: Exception, kind: str, retry: bool) -> None:
        attempts = (self.folder.failure or {}).get("attempts", 0) + 1
        epoch = self.trial.epoch if self.trial else 0
        self.folder.log(f"failed after epoch {epoch}: {error}")
        self.folder.write_json(
            "failure.json",
            {
                "kind": kind,
                "message": str(error),
                "epoch": epoch,
                "retry": retry,
                "attempts": attempts,
                "traceback": traceback.format_exc(),
            },
        )

    def close(self) -> None:
        """Close the events and give the folder up."""
        if self._events:
            self._events.close()
        self.folder.release()
