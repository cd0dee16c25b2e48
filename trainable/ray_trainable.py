"""The Ray Tune Trainable: a `Session` with Tune's interface.

It is the only module of this package that imports ray.
"""

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray import tune
from ray.util.metrics import Gauge

from trainable.storage import names
from trainable.trial.job import TrialJob

if TYPE_CHECKING:
    # The module loads torch, which the process that starts a study does not need.
    from trainable.trial.session import Session

TAGS = ("study", "setting", "arm", "seed")
MEASURES = {
    "test_accuracy": (names.TEST_ACCURACY, "Ensemble accuracy on the clean test set, percent"),
    "labeled_fraction": (
        names.LABELED_FRACTION.format(k=0),
        "Share of training samples in the labeled set of network 0",
    ),
    "division_auc": (names.AUC.format(k=0), "AUC of network 0's clean probability"),
    "epoch": ("epoch", "Finished epochs"),
}
PREFIX = "dividemix_"
REPORTED = ("epoch", names.TEST_ACCURACY, names.VALIDATION_ACCURACY, names.EPOCH_SECONDS)
"""Fields of a row that schedulers and the monitor need."""


class DivideMixTrainable(tune.Trainable):  # type: ignore[misc]  # Ray has no types
    """Tune Trainable of one trial.

    A step trains one epoch, or as many epochs as fit into `report_every` seconds. The configuration
    is that of a `TrialJob`. The trial's folder is the source of truth: the first step resumes from
    it. Tune's checkpoints only serve Tune's pauses.
    """

    job: TrialJob | None = None
    gauges: "Gauges | None" = None
    session: "Session | None" = None

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """Return the CPUs and (fractions of) GPUs of one trial."""
        job = TrialJob.from_config(config)
        return tune.PlacementGroupFactory([{"CPU": job.cpu, "GPU": job.gpu}])

    def setup(self, config: dict[str, Any]) -> None:
        """Store the job; the first step claims the folder.

        Tune starts an actor for a trial, and may then give the trial to another actor that becomes
        free earlier. An actor that never trains must not claim the folder.
        """
        self.job = TrialJob.from_config(config)

    def step(self) -> dict[str, Any]:
        """Train until the next report and return it.

        The folder has the complete rows. The report has only the fields that schedulers and the
        monitor need. A report takes about 5 ms, which matters where an epoch takes 100 ms.
        """
        from trainable.trial.cost import space

        assert self.job is not None
        opened_now = self.session is None
        session = self._opened(self.job)
        end = time.monotonic() + self.job.report_every
        row = session.advance() or {}
        while not session.finished and time.monotonic() < end:
            row = session.advance() or row
        result: dict[str, Any] = {"done": session.finished, "no_space": session.no_space}
        for key in REPORTED:
            if key in row:
                result[key] = row[key]
        if row:
            if self.gauges is None:
                self.gauges = Gauges()
            self.gauges.show(row, {"study": self.job.study, **self.job.place})
            result["training_iteration"] = row["epoch"]
        if opened_now and session.trial:
            result["space"] = space(session.trial)
        return result

    def _opened(self, job: TrialJob) -> "Session":
        """Return the trial's session; the first call resumes from the folder."""
        from trainable.trial.session import Session

        if self.session is None:
            self.session = Session(job.config, job.folder, job.machine, job.place)
        return self.session

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write the trial's state to Tune's checkpoint folder."""
        assert self.job is not None
        trial = self._opened(self.job).trial
        assert trial is not None
        (Path(checkpoint_dir) / "state.pt").write_bytes(trial.state())

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Restore the trial's state from Tune's checkpoint folder."""
        assert self.job is not None
        session = self._opened(self.job)
        assert session.trial is not None
        session.trial.restore((Path(checkpoint) / "state.pt").read_bytes(), session.folder.rows())
        session.folder.keep_rows(session.trial.epoch)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Close the session and take another trial.

        The session holds all state, so nothing of the previous trial remains.
        """
        self.cleanup()
        self.setup(new_config)
        return True

    def cleanup(self) -> None:
        """Close the trial's files."""
        if self.session is not None:
            self.session.close()
            self.session = None

    def __repr__(self) -> str:
        # Ray asks for it once, when the actor starts; the actor then trains several trials.
        if self.job is None:
            return type(self).__name__
        return f"{self.job.study}/{os.getpid()}"


class Gauges:
    """Gauges of this process, one per measure; each trial has its own tags."""

    def __init__(self) -> None:
        self._gauges: dict[str, Gauge] = {}
        for name, (_, text) in MEASURES.items():
            self._gauges[name] = Gauge(PREFIX + name, text, TAGS)
        self._speed = Gauge(
            PREFIX + "images_per_second", "Image-forward equivalents per second of training", TAGS
        )

    def show(self, row: dict[str, Any], place: dict[str, Any]) -> None:
        """Set the gauges of the trial at `place` (study, setting, arm, seed) to its newest row."""
        tags = {name: str(place[name]) for name in TAGS}
        for name, (metric, _) in MEASURES.items():
            if metric in row:
                self._gauges[name].set(row[metric], tags)
        self._speed.set(row[names.FORWARDS] / row[names.EPOCH_SECONDS], tags)
