"""Run one trial in its folder: resume, save every epoch, end with a summary or a failure.

Ray Tune, `python -m trainable` and the tests use the same object: `advance` until `finished`, then
`close`.
"""

import contextlib
import errno
import pickle
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import torch

from trainable.config.runtime import Machine
from trainable.config.trial import TrialConfig
from trainable.errors import TimedOut, TrialError
from trainable.methods.base import Row
from trainable.storage import names
from trainable.storage.checksums import Damaged
from trainable.storage.result import read_result
from trainable.storage.rows import read_rows
from trainable.storage.trial_folder import LostFolder, TrialFolder
from trainable.tensorboard.events import Events
from trainable.trial.fingerprint import fingerprint
from trainable.trial.lineage import Origin, OtherTrial, description
from trainable.trial.trial import OtherState, Trial

T = TypeVar("T")

NO_SPACE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.ENOTDIR,
}
"""Error numbers of a full or read-only disk; the trial itself has not failed."""


class Session:
    """A run of one trial: claims the folder, builds the trial, resumes from the newest checkpoint.

    A `TrialError` (wrong data, non-finite loss) is written to `failure.json` and ends the session,
    because a retry would fail again. Any other exception is also written, and raised, so that the
    caller can retry.

    Args:
        config: configuration of the trial.
        folder: the trial's folder.
        machine: settings of the machine.
        place: the trial's `setting`, `arm` and `seed` in a study, for TensorBoard.
        origin: what the trial continues, if it is a segment of a lineage; its folder then holds
            that state and the rows before it.
    """

    def __init__(
        self,
        config: TrialConfig,
        folder: Path | str,
        machine: Machine,
        place: dict[str, str | int] | None = None,
        origin: Origin | None = None,
    ):
        self.config = config
        self.machine = machine
        self.place = place or {}
        self.origin = origin
        self.folder = TrialFolder(folder)
        self.trial: Trial | None = None
        self.no_space: str | None = None
        """File and reason if the disk is full or read-only; the session has then ended, and its
        last checkpoint is kept."""
        self._events: Events | None = None
        self._drawn: set[int] = set()
        self._saved = 0
        self._between_epochs = False
        self.finished = False
        self._guarded(self._open)

    def _open(self) -> None:
        self.folder.claim()
        if self._is_done():
            self.folder.remove(names.CHECKPOINT, names.PREVIOUS_CHECKPOINT, names.FAILURE)
            self.finished = True
            return
        about = description(self.config, self.origin)
        before = self.folder.trial or {}
        earlier: dict[str, Any] = {
            k: before[k]
            for k in ("fingerprint", "earlier")
            if k in before and before.get("id") == about["id"]
        }
        self.folder.write_json(names.TRIAL, {**about, **earlier})
        self.trial = Trial(self.config, self.machine)
        for note in self.trial.notes:
            self.folder.log(note)
        self._resume(self.trial)
        about["fingerprint"] = fingerprint(self.trial)
        # The report names trials with epochs that other code or another machine trained.
        others = [
            *earlier.get("earlier", []),
            *([earlier["fingerprint"]] if "fingerprint" in earlier else []),
        ]
        if self.trial.epoch and (
            others := [other for other in others if other != about["fingerprint"]]
        ):
            about["earlier"] = others
        self.folder.write_json(names.TRIAL, about)
        self._events = Events(
            self.folder.path,
            self.trial.epoch,
            about["config"],
            self.place,
            self.trial.test_labels,
        )
        self._drawn = set(self.trial.method.records)
        # The process may have ended between the last epoch and the summary.
        if self.trial.epoch == self.config.train.epochs:
            self._finish(self.trial)

    def _is_done(self) -> bool:
        """Return whether the folder has the trial's result; a damaged one is archived."""
        try:
            return read_result(self.folder.path) is not None
        except Damaged as error:
            kept = self.folder.set_aside(names.SUMMARY)
            self.folder.log(f"{error}: the trial is trained again, and its summary kept as {kept}")
            return False

    def _resume(self, trial: Trial) -> None:
        rows = self.folder.rows()
        if self.origin is not None:
            rows = read_rows(self.folder.path, names.INHERITED) + rows
        before = self.folder.has_checkpoint
        for state in self.folder.load_checkpoints():
            try:
                trial.restore(state, rows)
            except pickle.UnpicklingError:  # no code of the file has been executed
                self.folder.log(
                    "a checkpoint holds more than tensors and plain values: it is not used"
                )
                continue
            except OtherState as error:
                self.folder.log(f"a checkpoint is not used: {error}")
                continue
            except (KeyError, RuntimeError, ValueError) as error:
                if self.origin is None or _out_of_memory(error):
                    raise
                raise OtherTrial(
                    f"the checkpoint of {self.origin.trial} does not fit this configuration "
                    f"({error}). Mutate fields that keep the shape of its state, such as train.lr"
                ) from None
            self.folder.log(f"resumes after epoch {trial.epoch}")
            break
        else:
            if self.origin is not None:
                raise OtherTrial(
                    f"{self.folder.path} continues {self.origin.trial} after epoch "
                    f"{self.origin.epoch}, and no checkpoint can be used (see {names.LOG})"
                )
            if before:
                self.folder.log("no checkpoint can be used: the trial starts anew")
        self.folder.keep_rows(trial.epoch)
        self._saved = trial.epoch
        self._between_epochs = True

    def advance(self) -> Row | None:
        """Train one epoch, save it and return its row; None if the session ended without one."""
        return None if self.finished else self._guarded(self._advance)

    def _advance(self) -> Row:
        assert self.trial is not None
        assert self._events is not None
        self._between_epochs = False
        row = next(self.trial)
        self.folder.append_row(row)
        self._show(self.trial, self._events, row)
        if self.trial.is_best:
            self.folder.write(names.BEST_MODEL, self.trial.weights())
        self._between_epochs = True
        if self.trial.epoch == self.config.train.epochs:
            self._save(self.trial)
            self._finish(self.trial)
        elif self.trial.epoch % self.machine.checkpoint_every == 0:
            self._save(self.trial)
        spent = sum(row[names.EPOCH_SECONDS] for row in self.trial.rows)
        limit = self.machine.trial_timeout
        if limit is not None and spent > limit and not self.finished:
            self._save(self.trial)
            raise TimedOut(
                f"run.trial_timeout: {limit:g} s is exceeded: {self.trial.epoch} of "
                f"{self.config.train.epochs} epochs took {spent:.3g} s. Increase it; "
                "--retry-failed then resumes from the checkpoint"
            )
        return row

    def _show(self, trial: Trial, events: Events, row: Row) -> None:
        """Write TensorBoard's events of an epoch: its row, and its division if one is recorded."""
        events.add(row)
        if not self.machine.pictures:
            return
        records = trial.method.records
        every = self.machine.pictures_every
        due = {epoch: record for epoch, record in records.items() if epoch not in self._drawn}
        if every and row["epoch"] % every == 0:
            due |= trial.method.division
        self._drawn = set(records)
        epoch = max(due, default=0)
        record = due.get(epoch, {})
        # A record with the ensemble's classes is of all samples.
        if "clean_probability" in record and "ensemble_class" in record:
            # No row has the mixture of the division after the last epoch.
            mixture = row if epoch < row["epoch"] else {}
            events.division(row["epoch"], record, trial.data, mixture)

    def _save(self, trial: Trial) -> None:
        if self._saved < trial.epoch:
            self.folder.save_checkpoint(trial.state())
            self._saved = trial.epoch

    def _finish(self, trial: Trial) -> None:
        self.folder.write(names.MODEL, trial.weights())
        self.folder.write(names.SAMPLES, trial.samples())
        self.folder.finish(trial.summary())
        # Released now: a process that is killed before `close` must not remain the owner.
        self.folder.release()
        self.finished = True

    def _guarded(self, work: Callable[[], T]) -> T | None:
        """Run `work` and write an exception to `failure.json`.

        A full disk is no failure of the trial; its reason is in `no_space` only.
        """
        try:
            try:
                return work()
            except LostFolder:
                raise
            except TrialError as error:
                self.folder.fail(error.kind, str(error), traceback.format_exc(), retry=False)
                self.finished = True
            except Exception as error:
                if not _disk(error):
                    kind = "out of memory" if _out_of_memory(error) else type(error).__name__
                    self.folder.fail(kind, str(error), traceback.format_exc(), retry=True)
                raise
        except OSError as error:
            if not _disk(error):
                raise
            self.finished = True
            self.no_space = f"{error.filename or self.folder.path}: {error.strerror}"
        return None

    def close(self) -> None:
        """Save an epoch that no checkpoint has yet, close the events and release the folder."""
        if self._events:
            with contextlib.suppress(OSError):  # of a full disk; the epoch below is still saved
                self._events.close(self.folder.summary)
        with contextlib.suppress(LostFolder, OSError):
            # A trial that a search's scheduler has stopped is never resumed.
            if self.folder.stopped is not None:
                self.folder.remove(names.CHECKPOINT, names.PREVIOUS_CHECKPOINT)
            elif self.trial and self._between_epochs and not self.finished:
                self._save(self.trial)
            self.folder.release()


def _disk(error: Exception) -> bool:
    return isinstance(error, OSError) and error.errno in NO_SPACE


def _out_of_memory(error: Exception) -> bool:
    """Return whether GPU or host memory was exhausted.

    torch's CPU allocator raises a plain RuntimeError.
    """
    return isinstance(
        error, MemoryError | torch.OutOfMemoryError
    ) or "can't allocate memory" in str(error)
