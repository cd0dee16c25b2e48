"""The Ray Tune Trainable: a `Session` behind Tune's interface. The only module of this package that
imports ray."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray import tune
from ray.util.metrics import Gauge

from trainable.storage import names
from trainable.trial.job import TrialJob

if TYPE_CHECKING:
    # It loads torch, which the process that starts a study does not need.
    from trainable.trial.reports import Reporter
    from trainable.trial.session import Session

TAGS = ("study", "setting", "arm", "seed")
MEASURES = {
    "test_accuracy": (names.TEST_ACCURACY, "Ensemble's accuracy on the clean test set, percent"),
    "labeled_fraction": (
        names.LABELED_FRACTION.format(k=0),
        "Share of training samples that network 0 calls clean",
    ),
    "division_auc": (names.AUC.format(k=0), "AUC of network 0's clean probability"),
    "epoch": ("epoch", "Finished epochs"),
}
PREFIX = "dividemix_"


class DivideMixTrainable(tune.Trainable):  # type: ignore[misc]  # Ray has no types
    """One trial an instance; one epoch a step, or as many as fit into `report_every` seconds.

    The configuration is a `TrialJob`'s. The trial's own folder is the truth: the first step resumes
    from it, so Tune's checkpoints are only there for its own pauses.
    """

    job: TrialJob | None = None
    gauges: "Gauges | None" = None
    reporter: "Reporter | None" = None

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """CPUs and (fractions of) GPUs for one trial."""
        job = TrialJob.from_config(config)
        return tune.PlacementGroupFactory([{"CPU": job.cpu, "GPU": job.gpu}])

    def setup(self, config: dict[str, Any]) -> None:
        """Note what to train.

        The folder is claimed by the first step, not here: Tune starts an actor for a trial and may
        give the trial to another actor that becomes free first; the one that never trains must not
        take the folder away from it.
        """
        self.job = TrialJob.from_config(config)

    def step(self) -> dict[str, Any]:
        """Train for one report."""
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
        """Hand the trial's state to Tune."""
        trial = self._session().trial
        assert trial is not None
        (Path(checkpoint_dir) / "state.pt").write_bytes(trial.state())

    def load_checkpoint(self, checkpoint: Any) -> None:
        """Take a state back from Tune."""
        session = self._session()
        assert session.trial is not None
        session.trial.restore((Path(checkpoint) / "state.pt").read_bytes(), session.folder.rows())
        session.folder.keep_rows(session.trial.epoch)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Become another trial: all state hangs on the session, so closing it and opening another
        leaves nothing."""
        self.cleanup()
        self.setup(new_config)
        return True

    def cleanup(self) -> None:
        """Close the trial's files."""
        if self.reporter is not None:
            self.reporter.session.close()
            self.reporter = None

    def __repr__(self) -> str:
        # Ray asks once, when the actor starts; the actor then trains one trial after another.
        if self.job is None:
            return type(self).__name__
        return f"{self.job.study}/{os.getpid()}"


class Gauges:
    """One gauge a measure in this process; each trial has its own tags."""

    def __init__(self) -> None:
        self._gauges: dict[str, Gauge] = {}
        for name, (_, text) in MEASURES.items():
            self._gauges[name] = Gauge(PREFIX + name, text, TAGS)
        self._speed = Gauge(
            PREFIX + "images_per_second", "Forward passes of one image a second of training", TAGS
        )

    def show(self, row: dict[str, Any], place: dict[str, Any]) -> None:
        """Set the gauges of the trial at `place` (study, setting, arm, seed) to its newest row."""
        tags = {name: str(place[name]) for name in TAGS}
        for name, (metric, _) in MEASURES.items():
            if metric in row:
                self._gauges[name].set(row[metric], tags)
        self._speed.set(row[names.FORWARDS] / row[names.EPOCH_SECONDS], tags)
