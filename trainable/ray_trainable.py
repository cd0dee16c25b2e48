"""The Ray Tune Trainable: a `Session` with Tune's interface.

It is the only module of this package that imports ray.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray import tune
from ray.util.metrics import Gauge

from trainable.storage import names
from trainable.trial.job import TrialJob

if TYPE_CHECKING:
    # The module loads torch, which the process that starts a study does not need.
    from trainable.trial.reports import Reporter
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


class DivideMixTrainable(tune.Trainable):  # type: ignore[misc]  # Ray has no types
    """Tune Trainable of one trial.

    A step trains one epoch, or as many epochs as fit into `report_every` seconds. The configuration
    is that of a `TrialJob`. The trial's folder is the source of truth: the first step resumes from
    it. Tune's checkpoints only serve Tune's pauses.
    """

    job: TrialJob | None = None
    gauges: "Gauges | None" = None
    reporter: "Reporter | None" = None

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
        """Train until the next report is due, and return it."""
        assert self.job is not None
        reporter = self._opened(self.job)
        report = reporter.next()
        row = reporter.row
        if row:
            if self.gauges is None:
                self.gauges = Gauges()
            self.gauges.show(row, {"study": self.job.study, **self.job.place})
            report["training_iteration"] = row["epoch"]
        return report

    def _opened(self, job: TrialJob) -> "Reporter":
        """Return the trial's session with its reports; it resumes from what its folder holds."""
        from trainable.trial.reports import Reporter
        from trainable.trial.session import Session

        if self.reporter is None:
            session = Session(job.config, job.folder, job.machine, job.place)
            self.reporter = Reporter(session, job.report_every)
        return self.reporter

    def _session(self) -> "Session":
        assert self.job is not None
        return self._opened(self.job).session

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        """Write the trial's state to Tune's checkpoint folder."""
        trial = self._session().trial
        assert trial is not None
        (Path(checkpoint_dir) / "state.pt").write_bytes(trial.state())

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Restore the trial's state from Tune's checkpoint folder."""
        session = self._session()
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
        if self.reporter is not None:
            self.reporter.session.close()
            self.reporter = None

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
